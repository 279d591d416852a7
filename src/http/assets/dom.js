// Elements and texts. What comes from the network only ever becomes a text node or an attribute.
"use strict";

const dom = (() => {
/** An element with attributes and children. Texts become text nodes; null and false are left out. */
function el(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for SVG. */
function svg(name, attributes, ...children) {
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
const by = (id) => document.getElementById(id);

/** Writes a text where it is another one, so that a screen reader is not told twice. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows the element, or not. */
function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

/** Builds the children anew, but only when what they show has changed. The focus stays. */
function renew(element, shown, build) {
  const memo = JSON.stringify(shown);
  if (element.memo === memo) return;
  element.memo = memo;
  keepFocus(element, () => element.replaceChildren(...[build()].flat(2).filter(Boolean)));
}

/** Runs the change; what had the focus gets it back, found again by its `data-focus`. */
function keepFocus(element, change) {
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
function keep(parent, items, { key, make, update }) {
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
function command(...words) {
  return copyable(words.map(quoted).join(" "));
}

function copyable(text) {
  return el("span", { class: "command" },
    el("code", null, text),
    el("button", { type: "button", class: "copy", "data-copy": text, "data-focus": `copy ${text}`, "aria-label": `Copy: ${text}` }, "Copy"));
}

/** A text of the daemon, in which `commands` stand between backticks. */
function prose(text) {
  return text.split("`").map((piece, index) => {
    if (index % 2 === 0) return piece;
    // A word in capitals stands for something: that is to be filled in, not to be copied. And nothing
    // that means more than itself to a shell: names from DNS can stand in a text, too.
    const isWhole = /^srvkeeper [\w.:/ -]+$/.test(piece) && !/\b[A-Z]+\b/.test(piece);
    return isWhole ? copyable(piece) : el("code", null, piece);
  });
}

/** Lets the buttons of all command lines copy. */
function copying() {
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

// Times: shown in the local zone, with the exact one in the title, counted by the daemon's clock.

/** The daemon's clock less ours, in milliseconds; small differences are the way's. */
let offset = 0;

/** Takes the `Date` header of an answer. */
function setClock(header) {
  const difference = Date.parse(header) - Date.now();
  if (Number.isFinite(difference)) offset = Math.abs(difference) > 2000 ? difference : 0;
}

/** Now by the daemon's clock, in milliseconds. */
const now = () => Date.now() + offset;

const two = (number) => String(number).padStart(2, "0");

/** `03:12:07` today, else `2026-11-23 03:12`. */
function local(time) {
  const date = new Date(time);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (date.toDateString() === new Date(now()).toDateString()) return `${clock}:${two(date.getSeconds())}`;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`;
}

/** `12 s`, `4 min`, `3 h 12 min`, `5 d 3 h`. */
function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days} d${hours % 24 ? ` ${hours % 24} h` : ""}`;
  if (hours) return `${hours} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
  return minutes ? `${minutes} min` : `${seconds} s`;
}

/** The point in time, `03:12:07`. */
function clock(text) {
  return el("time", { datetime: text, title: text }, local(Date.parse(text)));
}

const FORMS = {
  ago: (time) => `${span(now() - time)} ago`,
  for: (time) => span(now() - time),
  left: (time) => (time > now() ? `${span(time - now())} left` : "ending now"),
};

/** How far away it is, `4 min ago`: counts by itself. */
function counting(form, text) {
  return el("time", { datetime: text, title: text, "data-form": form }, FORMS[form](Date.parse(text)));
}

/** Lets all of them count. */
function count() {
  for (const element of document.querySelectorAll("time[data-form]")) {
    say(element, FORMS[element.dataset.form](Date.parse(element.dateTime)));
  }
}

// The words for states, and the sign beside each: colour is never the only one.

// U+FE0E: as text, not as a picture.
const text = (sign) => `${sign}\uFE0E`;
const FINE = text("\u2714");
const BAD = text("\u2716");
const LOOK = text("\u25B2");
const OPEN = "\u25CB";

/** How things are altogether: its sign, its word, its class. */
const LEVELS = {
  ok: { sign: FINE, word: "OK", tone: "ok" },
  warning: { sign: LOOK, word: "Warning", tone: "warn" },
  critical: { sign: BAD, word: "Critical", tone: "bad" },
};

/** The gravest level first. */
const gravest = ["critical", "warning", "ok"];

const HOSTS = {
  up: { sign: FINE, tone: "ok" },
  down: { sign: BAD, tone: "bad" },
  suspect: { sign: LOOK, tone: "warn" },
  unknown: { sign: "?", tone: "open" },
};

const ZONES = {
  unreadable: { sign: BAD, means: "could not be read at its primary" },
  failed: { sign: BAD, means: "its update was not applied" },
  short: { sign: BAD, means: "fewer than min_hosts hosts that are not down are published" },
  held: { sign: "\u2016", means: "a guard withholds something" },
  pending: { sign: "\u2192", means: "something is to be changed and was not written" },
  unread: { sign: OPEN, means: "not looked at yet" },
  "in-sync": { sign: FINE, means: "nothing is to be done" },
};

/** How a state of zones is written. */
const zoneWord = (state) => state.replace("-", " ");

const badge = (tone, sign, word, title) =>
  el("span", { class: `state ${tone}`, title },
    el("span", { class: "sign", "aria-hidden": "true" }, sign), ` ${word}`);

/** A host's state. */
function hostState(host) {
  const { sign, tone } = HOSTS[host.state] ?? HOSTS.unknown;
  const forced = host.forced ? el("span", { class: "forced" }, " forced") : null;
  return [badge(host.role === "retired" ? "open" : tone, sign, host.state), forced];
}

/** A zone's state. */
function zoneState(zone) {
  const { sign, means } = ZONES[zone.state] ?? ZONES.unread;
  const tone = zone.state === "unread" ? "open" : LEVELS[zone.level]?.tone;
  return badge(tone, zone.state === "in-sync" && zone.level !== "ok" ? LOOK : sign, zoneWord(zone.state), means);
}

/** `1 zone`, `2 zones`. */
const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** Numbers are grouped by thin spaces from five digits on: `10 000`. */
const grouped = (number) => (number < 10_000 ? String(number) : String(number).replace(/\B(?=(\d{3})+$)/g, "\u202F"));

// Turning pages.

/** Buttons for a page of many; `turn` gets the number of the page that is wanted. */
function pages(nav, { page, pages, total }, noun, turn) {
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

return {
  el, svg, by, say, show, renew, keep, command, prose, copying, setClock, now, local, span, clock, counting,
  count, LEVELS, gravest, zoneWord, hostState, zoneState, counted, grouped, pages,
};
})();
