// The one line, the numbers below it, and what the daemon says of itself.
import { by, el, renew, say } from "./dom.js";
import { mark } from "./connection.js";
import { counting } from "./time.js";
import { LEVELS, grouped } from "./words.js";

export function showVerdict(status) {
  const { level, text } = status.verdict;
  const { sign, word, tone } = LEVELS[level] ?? LEVELS.critical;
  by("verdict").className = `verdict ${tone}`;
  say(by("verdict-sign"), sign);
  say(by("verdict-level"), word);
  say(by("verdict-text"), text);
  mark(level);
  numbers(status.totals);
  facts(status);
}

function numbers(totals) {
  const { records } = totals;
  renew(by("numbers"), totals, () => [
    number("Hosts up", totals.hosts_up, { of: totals.hosts, isBad: totals.hosts_up < totals.hosts }),
    number("Zones in sync", totals.in_sync, { of: totals.zones, isBad: totals.in_sync < totals.zones }),
    number("Records published", records.published),
    number("Missing", records.missing, { isBad: records.missing > 0 }),
    number("Pending", records.pending, { isBad: records.pending > 0 }),
    number("Held", records.held, { isBad: records.held > 0 }),
    number("Contested", records.contested, { isBad: records.contested > 0 }),
    number("Foreign", records.foreign, { isBad: records.foreign > 0 }),
  ]);
}

function number(label, value, { of, isBad } = {}) {
  const whole = of === undefined ? null : el("span", { class: "of" }, ` of ${grouped(of)}`);
  return el("div", { class: isBad ? "look" : null }, el("dt", null, label), el("dd", null, grouped(value), whole));
}

function facts(status) {
  const isAudit = status.mode === "audit";
  renew(by("mode"), status.mode, () => el("span", { class: `mode ${status.mode}`, title: isAudit ? "nothing is written" : "the daemon writes" }, status.mode));
  const told = [status.mode, status.started, status.last_full_reconcile, status.interval_seconds, status.canary, status.version];
  renew(by("facts"), told, () => [
    fact("Mode", isAudit ? "audit: nothing is written" : "enforce: what differs is written"),
    fact("Every zone looked at", status.last_full_reconcile ? counting("ago", status.last_full_reconcile) : "not yet"),
    fact("Looks at all of them every", duration(status.interval_seconds)),
    fact("Canaries", { unused: "none are configured", answers: "answer", silent: "silent: nothing is removed" }[status.canary] ?? status.canary),
    fact("Running for", counting("for", status.started)),
  ]);
  say(by("version"), `srvkeeper ${status.version}`);
}

const fact = (label, value) => el("div", null, el("dt", null, label), el("dd", null, value));

function duration(seconds) {
  return seconds >= 60 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
