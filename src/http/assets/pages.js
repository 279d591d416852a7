// Turning pages.
import { el, renew, show } from "./dom.js";
import { counted, grouped } from "./words.js";

/** Buttons for a page of many; `turn` gets the number of the page that is wanted. */
export function pages(nav, { page, pages, total }, noun, turn) {
  show(nav, pages > 1);
  renew(nav, [page, pages, total], () => [
    button("First", page > 1, 1),
    button("Previous", page > 1, page - 1),
    el("span", { "aria-current": "page" }, `page ${grouped(page)} of ${grouped(pages)}, ${total < 10_000 ? counted(total, noun) : `${grouped(total)} ${noun}s`}`),
    button("Next", page < pages, page + 1),
    button("Last", page < pages, pages),
  ]);

  function button(word, isUseful, to) {
    // Not disabled: the focus would be lost with the last page.
    return el("button", { type: "button", "data-focus": word, "aria-disabled": String(!isUseful), click: () => isUseful && turn(to) }, word);
  }
}
