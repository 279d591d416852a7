// Which zones are looked at: it stands in the address, so that a reload and a link show the same.
import { ZONE_STATES } from "./words.js";

const ORDERS = ["problems", "name", "changed"];

export function readView() {
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

export function writeView({ search, state, problems, sort, page }) {
  const query = new URLSearchParams();
  if (search) query.set("search", search);
  if (state) query.set("state", state);
  if (problems) query.set("problems", "1");
  if (sort !== "problems") query.set("sort", sort);
  if (page > 1) query.set("page", String(page));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
}
