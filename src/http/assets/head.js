// Whether what is shown is true: connected, lost, or old. It never claims more than it knows.
"use strict";

const head = (() => {
const { by, clock, command, counting, el, grouped, LEVELS, local, now, renew, say, show, span } = dom;

/** A daemon that works makes its status anew each second, and the page asks every ten. */
const STALE = 30_000;
/** A browser lets a tab in the background ask once a minute. */
const STALE_RESTING = 150_000;

let lost = null;
let refused = null;
let problem = null;
let isLocked = false;
let isResting = false;
/** When the shown status was so, by the daemon's clock. */
let at = null;
/** The newest time at which the daemon's loop is known to have turned. */
let turned = null;

/** Takes the status that is shown now. */
function shown(status) {
  at = status.at;
  beat(at);
  problem = null;
  isLocked = false;
  tell();
}

/** The daemon's status was made anew at this time, whether it is shown or not. */
function beat(newest) {
  turned = Date.parse(newest);
}

/** The stream is open. */
function open() {
  lost = refused = null;
  isResting = false;
  tell();
}

/** The tab is in the background and has given its connection back. */
function resting() {
  isResting = true;
}

/** The connection is gone: since when, and when it is tried again. */
function gone(what) {
  lost = what;
  tell();
}

/** The daemon gives no stream, and says why; it is asked again and again. */
function streamRefused(why) {
  lost = null;
  refused = why;
  tell();
}

/** The daemon answered something else than its status. */
function answered(why) {
  problem = why;
  tell();
}

/** Nothing is shown without the token. */
function locked() {
  lost = refused = problem = at = null;
  isLocked = true;
  tell();
}

/** Whether events come. */
const isLost = () => lost !== null;

/** Shows how it stands; to be called each second. */
function tell() {
  const age = at === null ? 0 : now() - Date.parse(at);
  // A tab in the background asks seldom; what it shows is true as long as the daemon tells no news.
  const isStale = at !== null && now() - turned > (isResting ? STALE_RESTING : STALE);
  const isOld = lost !== null || problem !== null || isStale;
  document.body.classList.toggle("old", isOld && at !== null);
  tab(isOld);
  show(by("last-known"), isOld);
  show(by("banner"), isOld);
  if (isOld) banner(age, isStale);
  say(by("connection"), word(isStale));
  by("connection").className = isOld ? "bad" : refused || isLocked ? "warn" : at === null ? "" : "ok";
  by("connection").title = refused ?? "";
  renew(by("as-of"), at, () => (at ? ["as of ", clock(at)] : []));
}

function word(isStale) {
  if (isLocked) return "Token needed";
  if (lost) return "Connection lost";
  if (problem) return "No status";
  if (isStale) return "Stale";
  if (refused) return "Asking every 10 s";
  return at === null ? "Connecting" : "Live";
}

function banner(age, isStale) {
  if (lost) say(by("banner-text"), `Connection lost since ${local(lost.since)}.`);
  else if (problem) say(by("banner-text"), `The daemon does not give its status: ${problem}`);
  else if (isStale) say(by("banner-text"), "The data is stale: the daemon answers, but does not move. Restart it, and keep its log.");
  say(by("banner-age"), at === null ? "Nothing is known yet." : `What you see is ${seconds(age)} old.`);
  renew(by("banner-do"), lost !== null, () => (lost ? ["On its machine: ", command("systemctl", "status", "srvkeeper")] : []));
  const left = lost ? Math.ceil((lost.next - Date.now()) / 1000) : 0;
  say(by("banner-next"), !lost ? "" : left > 0 ? `Trying again in ${left} s.` : "Trying again.");
}

/** To the second for a while, since people watch it count. */
function seconds(age) {
  const whole = Math.max(0, Math.floor(age / 1000));
  return whole < 600 ? `${whole} ${whole === 1 ? "second" : "seconds"}` : span(age);
}

let level = null;

/** Takes the verdict for the tab's title and icon. */
function mark(newest) {
  level = newest;
  tab(false);
}

const ICONS = {
  ok: ["\u2714\uFE0E ok", "%232a9d5c", "%3Ccircle cx='8' cy='8' r='7'"],
  warning: ["\u25B2\uFE0E warning", "%23d29922", "%3Cpath d='M8 1 15 15H1z'"],
  critical: ["\u2716\uFE0E critical", "%23d1363f", "%3Cpath d='M1 1h14v14H1z'"],
  lost: ["? not known", "%237a8594", "%3Cpath d='M1 6h14v4H1z'"],
};

function tab(isOld) {
  const [word, colour, shape] = ICONS[isOld ? "lost" : level] ?? ["srvkeeper", ICONS.lost[1], ICONS.ok[2]];
  const title = word === "srvkeeper" ? word : `${word} \u2013 srvkeeper`;
  if (document.title === title) return;
  document.title = title;
  const icon = `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E${shape} fill='${colour}'/%3E%3C/svg%3E`;
  document.querySelector("link[rel=icon]").replaceWith(el("link", { rel: "icon", href: icon }));
}

// The one line, the numbers below it, and what the daemon says of itself.

function showVerdict(status) {
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

return { shown, beat, open, resting, gone, streamRefused, answered, locked, isLost, tell, showVerdict };
})();
