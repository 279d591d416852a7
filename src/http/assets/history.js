// What the daemon and people changed, the newest first, each change with its reason.
import { by, command, el, keep, renew, say, show } from "./dom.js";
import { clock, counting } from "./time.js";

/** Changes asked for at a time. */
export const LIMIT = 20;

/** Shows them; `zone` where it is those of one zone, and `all` leads back. */
export function showHistory(changes, { zone, hasMore, all }) {
  show(by("history-of"), zone !== null);
  renew(by("history-of"), zone, () => (zone === null ? [] : ["Changes of ", el("span", { class: "name" }, zone), ". ",
    el("button", { type: "button", click: all, "data-focus": "all changes" }, "Show those of all zones")]));
  show(by("history-empty"), changes.length === 0);
  say(by("history-empty"), "Nothing was changed yet.");
  keep(by("history"), changes, { key: (change) => change.id, make: () => el("li", null), update });
  show(by("history-more"), hasMore);
}

/** The history cannot be read. */
export function historyFailed(why) {
  show(by("history-empty"), true);
  say(by("history-empty"), `The history cannot be read: ${why}`);
}

const TONES = { applied: "ok", refused: "bad", failed: "bad", stale: "warn", unknown: "warn" };

function update(item, change) {
  renew(item, change, () => {
    const outcome = change.outcome?.kind ?? "open";
    return [
      el("p", { class: "head" },
        el("span", { class: "id" }, `#${change.id}`), " ",
        counting("ago", change.asked_at), " ", el("span", { class: "dim" }, clock(change.asked_at)), " ",
        el("span", { class: "name" }, change.zone), " ",
        el("span", { class: `state ${TONES[outcome] ?? "open"}` }, outcome)),
      el("ul", { class: "changes" }, change.changes.map(line)),
      outcome === "applied" ? null : el("p", { class: "reason" }, change.outcome?.text ?? "Its outcome is not known yet."),
      el("p", { class: "dim by" }, change.actor, ", serial ", String(change.serial_before),
        change.serial_after === null ? "" : ` \u2192 ${change.serial_after}`, ", ", el("span", { class: "name" }, change.server)),
      el("p", { class: "next" }, command("srvkeeper", "history", change.id),
        outcome === "applied" ? [" ", command("srvkeeper", "rollback", change.id, "--dry-run")] : null),
    ];
  });
}

const KINDS = { create: ["+", "create"], delete: ["\u2212", "delete"], update: ["\u00B1", "modify"] };

function line({ type, before, after, reason }) {
  const [sign, tone] = KINDS[type] ?? ["?", "plain"];
  const record = after ?? before;
  return el("li", null,
    el("span", { class: `tone ${tone}` }, el("span", { "aria-hidden": "true" }, `${sign} `), el("span", { class: "unseen" }, `${type} `),
      type === "update" ? [data(before), " \u2192 "] : null, data(record)),
    el("span", { class: "reason" }, `${reason.code}: ${reason.text}`));
}

const data = ({ priority, weight, port, target, ttl }) => `${priority} ${weight} ${port} ${target} ttl=${ttl}`;
