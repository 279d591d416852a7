// What asks for attention, the gravest first, each with the next step.
"use strict";

const todo = (() => {
const { by, clock, command, counted, counting, el, gravest, LEVELS, prose, renew, zoneWord } = dom;

/** So many hosts and zones are named; of the others their number. */
const NAMED = 5;

/** Shows them; `problems` are zones that ask for attention, and `more` leads to all of these. */
function showTodo(status, problems, more) {
  const seen = [status.store_failure, status.overdue, status.canary, status.pause, status.totals,
    status.hosts.filter(asks).map(({ host, state, reason, since, forced, obstacle }) => [host, state, reason, since, forced, obstacle]),
    problems.slice(0, NAMED).map(({ zone, state, error, obstacle, held, name_servers }) => [zone, state, error, obstacle, held, name_servers])];
  renew(by("todo"), seen, () => {
    const items = [...daemon(status), ...hosts(status), ...zones(status, problems, more)];
    items.sort((a, b) => gravest.indexOf(a.level) - gravest.indexOf(b.level));
    return items.length ? items.map(item) : el("li", { class: "ok" }, sign("ok"), el("div", null, el("p", null, calm(status))));
  });
}

function calm({ totals }) {
  if (totals.unread > 0) return `Nothing so far. ${counted(totals.unread, "zone")} not looked at yet.`;
  return "Nothing. No host and no zone asks for attention.";
}

const sign = (level) => el("span", { class: `state ${LEVELS[level].tone}` },
  el("span", { class: "sign", "aria-hidden": "true" }, LEVELS[level].sign),
  el("span", { class: "unseen" }, LEVELS[level].word));

const item = ({ level, what, why, next }) => el("li", { class: LEVELS[level].tone },
  sign(level),
  el("div", null,
    el("p", { class: "what" }, what),
    why?.length ? el("p", { class: "why" }, why) : null,
    next ? el("p", { class: "next" }, next) : null));

function daemon(status) {
  const items = [];
  if (status.store_failure) {
    items.push({ level: "critical", what: "The store cannot be used, so nothing is written", why: [status.store_failure],
      next: ["A full disk, or a wrong owner of state_dir."] });
  }
  if (status.overdue) {
    items.push({ level: "critical", what: "Zones were not looked at for over two intervals",
      next: ["Which of them wait: ", command("srvkeeper", "status"), " Restart the daemon, and keep its log."] });
  }
  if (status.canary === "silent") {
    items.push({ level: "warning", what: "No canary answers, so nothing is removed",
      next: ["Look at this machine's own network, or at the canaries."] });
  }
  if (status.pause) {
    const { until, reason, actor } = status.pause;
    items.push({ level: "warning", what: ["Paused by ", actor, " until ", clock(until), ": nothing is written"], why: reason ? [reason] : null,
      next: [command("srvkeeper", "resume"), " ends it."] });
  }
  return items;
}

const isWrong = (host) => host.role !== "retired" && (host.state === "down" || host.state === "suspect");
const asks = (host) => isWrong(host) || Boolean(host.obstacle);

function hosts(status) {
  const wrong = status.hosts.filter(asks);
  // Where zones are short of hosts, this is why: it comes before them.
  const level = status.totals.short > 0 ? "critical" : "warning";
  const items = wrong.slice(0, NAMED).map((host) => ({
    level,
    what: isWrong(host)
      ? [name(host.host), ` is ${host.state}`, host.forced ? " (forced)" : "", host.since ? [" since ", clock(host.since)] : ""]
      : [name(host.host), " cannot be probed"],
    why: [isWrong(host) ? host.reason : host.obstacle],
    next: host.forced
      ? [command("srvkeeper", "host", "clear", host.host), " takes the override back."]
      : [command("srvkeeper", "probe", host.host), " asks it once more, from here."],
  }));
  if (wrong.length > NAMED) {
    items.push({ level, what: `${counted(wrong.length - NAMED, "more host")} below`, next: [command("srvkeeper", "probe"), " asks all of them."] });
  }
  return items;
}

function zones(status, problems, more) {
  const items = problems.slice(0, NAMED).map((zone) => ({
    level: zone.level,
    what: [name(zone.zone), ` ${summary(zone)}`],
    why: whyOf(zone),
    next: nextOf(zone),
  }));
  const left = status.totals.problems - items.length;
  if (left > 0) {
    const button = el("button", { type: "button", click: more, "data-focus": "all problems" }, "Show all of them");
    items.push({ level: items.at(-1)?.level ?? "warning", what: counted(left, "more zone") + " with problems", next: [button] });
  }
  return items;
}

const name = (text) => el("span", { class: "name" }, text);

function summary(zone) {
  if (zone.state === "unreadable") return "cannot be read";
  if (zone.state === "failed") return "was not updated";
  if (zone.state === "short") return "is short of hosts";
  if (zone.state === "in-sync" && zone.contested) return "has records that somebody else changes back";
  if (zone.state === "in-sync") return "has name servers that are behind";
  return `is ${zoneWord(zone.state)}`;
}

/** Why a zone asks for attention, in the daemon's words. */
function whyOf(zone) {
  if (zone.error) return prose(zone.error);
  // The same guard says mostly the same of each change.
  const held = zone.held[0];
  if (held) {
    const others = zone.held.length > 1 ? ` (${zone.held.length - 1} more held)` : "";
    return [...prose(`${held.guard}: ${held.text}`), others];
  }
  if (zone.state === "short") return ["Fewer hosts than min_hosts that are not down are left published."];
  if (zone.obstacle) return prose(`${counted(zone.pending, "change")} not written: ${zone.obstacle}`);
  if (zone.level !== "ok" && zone.name_servers) {
    const { agreeing, total, error } = zone.name_servers;
    return [error ?? `${agreeing} of ${total} name servers publish the same`];
  }
  return [];
}

/** What to do about it. */
function nextOf(zone) {
  if (zone.state === "failed") return [command("srvkeeper", "history", "--zone", zone.zone), " has what the server said, ", command("srvkeeper", "doctor", zone.zone), " finds out why."];
  if (zone.state === "pending") return [command("srvkeeper", "apply", zone.zone), " shows the changes, asks, and writes them."];
  if (zone.state === "unreadable") return [command("srvkeeper", "doctor", zone.zone), " finds out what stops it, and how to repair that."];
  if (zone.state === "short" && !zone.held.length) return ["Bring a host up, or add a standby. ", command("srvkeeper", "plan", zone.zone)];
  if (zone.state === "in-sync" && !zone.contested) return ["Look at NOTIFY, zone transfer or replication. ", command("srvkeeper", "plan", zone.zone)];
  return [command("srvkeeper", "plan", zone.zone), " has the whole story."];
}

// What operators said, and when it ends.

function showOverrides({ overrides, pause }) {
  renew(by("overrides"), [overrides.map(lasting), pause && lasting(pause)], () => {
    const items = overrides.map(override);
    if (pause) items.unshift(paused(pause));
    return items.length ? items : el("li", { class: "empty" }, "No overrides are in force, and nothing is paused.");
  });
}

/** What is shown, without what counts by itself. */
const lasting = ({ remaining_seconds: _, ...word }) => word;

const override = ({ host, state, until, made_at, reason, actor }) => el("li", null,
  el("p", null, el("span", { class: "name" }, host), " is taken as ", el("strong", { class: `state ${state === "up" ? "ok" : "bad"}` }, state),
    " until ", clock(until), ", ", counting("left", until)),
  el("p", { class: "reason" }, reason ? `${reason} \u2013 ` : "", actor, ", ", clock(made_at)),
  el("p", { class: "next" }, command("srvkeeper", "host", "clear", host)));

const paused = ({ until, made_at, reason, actor }) => el("li", null,
  el("p", null, el("strong", { class: "state warn" }, "Paused"), " until ", clock(until), ", ", counting("left", until), ": nothing is written"),
  el("p", { class: "reason" }, reason ? `${reason} \u2013 ` : "", actor, ", ", clock(made_at)),
  el("p", { class: "next" }, command("srvkeeper", "resume")));

return { showTodo, whyOf, nextOf, showOverrides };
})();
