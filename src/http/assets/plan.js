// The pending plan, in the lines and colours of a terminal.
import { by, command, el, renew, say } from "./dom.js";
import { pages } from "./pages.js";

/** Zones on a page of the plan. */
export const PLAN_PER_PAGE = 20;

export function showPlan(plan, isAudit, turn) {
  say(by("plan-summary"), plan.summary.replace(/^Plan: /, ""));
  renew(by("plan"), [plan.zones, isAudit, plan.page.page], () => {
    if (!plan.zones.length) return el("p", { class: "empty" }, "Nothing is pending, held or foreign.");
    return [plan.zones.map(section), isAudit ? el("p", { class: "next" }, "This daemon only audits: ", command("srvkeeper", "apply"), " writes it.") : null];
  });
  pages(by("plan-pages"), plan.page, "zone", turn);
}

const section = ({ zone, what, tone, place, lines }) => el("section", null,
  el("h3", null, el("span", { class: "name" }, zone), `: `, el("span", { class: `tone ${tone}` }, what), place ? el("span", { class: "dim" }, ` (${place})`) : null),
  el("pre", null, lines.map(({ tone, text }) => el("span", { class: `line tone ${tone}` }, text, "\n"))));
