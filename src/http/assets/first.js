// What is needed first: which zones are looked at, which stands in the address, so that a reload and a
// link show the same; the token; and the first question, on its way while the other files still come.
"use strict";

const first = (() => {
/** The states of zones, the gravest first. */
const ZONE_STATES = ["unreadable", "failed", "short", "held", "pending", "unread", "in-sync"];

const ORDERS = ["problems", "name", "changed"];
const PER_PAGE = 25;
const KEY = "srvkeeper-token";

/** The view that the address asks for. */
function readView() {
  const query = new URLSearchParams(location.search);
  const of = (key, words) => (words.includes(query.get(key)) ? query.get(key) : null);
  return {
    search: query.get("search") ?? "",
    state: of("state", ZONE_STATES),
    problems: query.get("problems") === "1",
    sort: of("sort", ORDERS) ?? "problems",
    page: Math.max(1, Number.parseInt(query.get("page"), 10) || 1),
  };
}

/** Puts the view into the address. */
function writeView({ search, state, problems, sort, page }) {
  const query = new URLSearchParams();
  if (search) query.set("search", search);
  if (state) query.set("state", state);
  if (problems) query.set("problems", "1");
  if (sort !== "problems") query.set("sort", sort);
  if (page > 1) query.set("page", String(page));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
}

/** What the daemon is asked for this view. */
function wanted({ search, state, problems, sort, page }) {
  return { page, per_page: PER_PAGE, sort, search, state, problems: problems ? 1 : null };
}

/** The address of a question; what is not set is left out. */
function question(path, parameters) {
  const set = Object.entries(parameters).filter(([, value]) => value !== null && value !== "" && value !== undefined);
  const query = new URLSearchParams(set).toString();
  return `api/v1/${path}${query && `?${query}`}`;
}

/** The token of this tab, where there is one. */
function storedToken() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    // Storage can be off: then the token lives as long as the page.
    return null;
  }
}

/** Keeps the token until the tab is closed; null forgets it. */
function storeToken(text) {
  try {
    if (text === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, text);
  } catch {
    // As above.
  }
}

/** So long nothing is painted for want of an answer. */
const BLANK = 100;

/** Shows the page. */
function unveil() {
  document.documentElement.classList.remove("veiled");
}

// To lay out and paint a page without data would take longer than the answer, which would wait for it.
document.documentElement.classList.add("veiled");
setTimeout(unveil, BLANK);

/** The first question and its answer on the way, for whoever asks the same first. */
const early = { address: null, answer: null };
if (storedToken() === null) {
  early.address = question("status", wanted(readView()));
  early.answer = fetch(early.address, { cache: "no-store" });
  // Who takes it is told of a failure; nobody else is.
  early.answer.catch(() => {});
}

return { ZONE_STATES, readView, writeView, wanted, question, storedToken, storeToken, unveil, early };
})();
