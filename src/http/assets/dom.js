// Elements and texts. What comes from the network only ever becomes a text node or an attribute.

/** An element with attributes and children. Texts become text nodes; null and false are left out. */
export function el(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for SVG. */
export function svg(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "click") element.addEventListener("click", value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

/** The element of this id. */
export const by = (id) => document.getElementById(id);

/** Writes a text where it is another one, so that a screen reader is not told twice. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows the element, or not. */
export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

/** Builds the children anew, but only when what they show has changed. The focus stays. */
export function renew(element, shown, build) {
  const memo = JSON.stringify(shown);
  if (element.memo === memo) return;
  element.memo = memo;
  keepFocus(element, () => element.replaceChildren(...[build()].flat(2).filter(Boolean)));
}

/** Runs the change; what had the focus gets it back, found again by its `data-focus`. */
export function keepFocus(element, change) {
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset?.focus : undefined;
  change();
  if (focused === undefined || document.activeElement?.dataset?.focus === focused) return;
  const again = [...element.querySelectorAll("[data-focus]")].find((found) => found.dataset.focus === focused);
  again?.focus({ preventScroll: true });
}

/**
 * Keeps the children of an element in the order of the items: one child for each key, made by
 * `make` and brought up to date by `update`. Children with another class stay where they are.
 */
export function keep(parent, items, { key, make, update }) {
  const known = (parent.known ??= new Map());
  const wanted = new Set(items.map(key));
  keepFocus(parent, () => {
    for (const [name, child] of known) {
      if (!wanted.has(name)) {
        child.remove();
        known.delete(name);
      }
    }
    let before = null;
    for (const item of items) {
      const name = key(item);
      let child = known.get(name);
      if (!child) known.set(name, (child = make(item)));
      update(child, item);
      const first = parent.tHead ? parent.tHead.nextSibling : parent.firstChild;
      const place = before ? before.nextSibling : first;
      if (place !== child) parent.insertBefore(child, place);
      before = child;
    }
  });
}

/** A word as a shell takes it. */
function quoted(word) {
  return /^[\w.@%+=:,/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A command line that can be copied. */
export function command(...words) {
  return copyable(words.map(quoted).join(" "));
}

function copyable(text) {
  return el("span", { class: "command" },
    el("code", null, text),
    el("button", { type: "button", class: "copy", "data-copy": text, "data-focus": `copy ${text}`, "aria-label": `Copy: ${text}` }, "Copy"));
}

/** A text of the daemon, in which `commands` stand between backticks. */
export function prose(text) {
  return text.split("`").map((piece, index) => {
    if (index % 2 === 0) return piece;
    // A word in capitals stands for something: that is to be filled in, not to be copied. And nothing
    // that means more than itself to a shell: names from DNS can stand in a text, too.
    const isWhole = /^srvkeeper [\w.:/ -]+$/.test(piece) && !/\b[A-Z]+\b/.test(piece);
    return isWhole ? copyable(piece) : el("code", null, piece);
  });
}

/** Lets the buttons of all command lines copy. */
export function copying() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button[data-copy]");
    if (!button) return;
    const done = await copy(button);
    say(button, done ? "Copied" : "Selected");
    setTimeout(() => say(button, "Copy"), 2000);
  });
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    return true;
  } catch {
    // Without TLS and away from localhost a page may not write the clipboard: the text is selected.
    getSelection().selectAllChildren(button.previousElementSibling);
    return false;
  }
}
