// The hosts: those that need a look first, each with its last hour.
"use strict";

const hosts = (() => {
const { by, clock, counted, counting, el, hostState, keep, renew, say, show, svg } = dom;

/** So many are shown at first, and all that are not up. */
const FIRST = 10;
const GRAVITY = { down: 0, suspect: 1, unknown: 2, up: 3 };

let isAll = false;
let newest = null;

/** Lets the button below the table show all. */
function wireHosts() {
  by("hosts-all").addEventListener("click", () => {
    isAll = !isAll;
    showHosts(newest);
  });
}

function showHosts(status) {
  newest = status;
  const { hosts, totals } = status;
  say(by("hosts-count"), `${totals.hosts_up} of ${totals.hosts} up`);
  show(by("hosts"), hosts.length > 0);
  show(by("hosts-empty"), hosts.length === 0);
  say(by("hosts-empty"), "No hosts are configured: the desired records are none.");
  const sorted = hosts.map((host, index) => ({ host, index })).sort((a, b) => gravity(a.host) - gravity(b.host) || a.index - b.index).map(({ host }) => host);
  const loud = sorted.filter((host) => gravity(host) < GRAVITY.up).length;
  const few = Math.max(FIRST, loud);
  const shown = isAll || sorted.length <= few + 2 ? sorted : sorted.slice(0, few);
  keep(by("hosts"), shown, { key: (host) => host.host, make, update });
  const more = by("hosts-all");
  show(more, sorted.length > few + 2);
  more.setAttribute("aria-expanded", String(isAll));
  say(more, isAll ? "Show fewer hosts" : `Show ${counted(sorted.length - shown.length, "more host")}, all of them up`);
}

function gravity(host) {
  if (host.role === "retired") return GRAVITY.up + 1;
  return host.obstacle ? Math.min(GRAVITY.unknown, GRAVITY[host.state]) : GRAVITY[host.state];
}

function make() {
  const cell = (label, of = "td", more = {}) => el(of, { role: of === "th" ? "rowheader" : "cell", "data-label": label, ...more });
  return el("tbody", { role: "rowgroup" }, el("tr", { role: "row" },
    cell("State"), cell("Host", "th", { scope: "row" }), cell("Since"), cell("Last hour"), cell("Answers in", "td", { class: "number" })));
}

function update(body, host) {
  const [state, name, since, hour, answers] = body.rows[0].cells;
  body.className = host.state === "up" || host.role === "retired" ? "" : "loud";
  renew(state, [host.state, host.forced, host.role], () => hostState(host));
  renew(name, [host.host, host.role, host.port, host.reason, host.obstacle, host.override?.until], () => nameOf(host));
  renew(since, host.since, () => (host.since ? [counting("for", host.since), el("span", { class: "dim below" }, clock(host.since))] : el("span", { class: "dim" }, "not known")));
  renew(hour, [host.hour, host.probed, host.role], () => hourOf(host));
  renew(answers, [host.latest?.took_seconds, host.latest?.passed, host.answers.mean_seconds], () => answersOf(host));
}

function nameOf(host) {
  const role = host.role === "active" ? "" : ` ${host.role}`;
  const port = host.port === 1688 ? "" : ` port ${host.port}`;
  return [
    el("span", { class: "name" }, host.host),
    el("span", { class: "dim" }, role, port),
    el("span", { class: "reason" }, host.reason),
    host.obstacle ? el("span", { class: "reason loud" }, `cannot be probed: ${host.obstacle}`) : null,
  ];
}

function answersOf({ latest, answers }) {
  if (!latest) return el("span", { class: "dim" }, "\u2013");
  const mean = answers.mean_seconds === null ? null : el("span", { class: "dim below" }, `mean ${milliseconds(answers.mean_seconds)}`);
  return [latest.passed ? milliseconds(latest.took_seconds) : el("span", { class: "none" }, "no answer"), mean];
}

function milliseconds(seconds) {
  const value = seconds * 1000;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

const STEP = 3;
const HEIGHT = 24;

/**
 * A bar for each minute: what passed stands low, the higher the slower; what failed fills the whole
 * height from above; a minute without samples is a dot.
 */
function hourOf(host) {
  if (!host.probed) return el("span", { class: "dim" }, host.role === "retired" ? "retired, not probed" : "trusted, not probed");
  let [good, bad, none] = ["", "", ""];
  host.hour.forEach(([passed, failed, slowest], minute) => {
    const x = minute * STEP;
    if (passed + failed === 0) return (none += `M${x} ${HEIGHT - 2}h2v2h-2z`);
    const share = failed / (passed + failed);
    const top = failed ? Math.max(6, Math.round(share * HEIGHT)) : 0;
    const low = passed ? Math.min(HEIGHT - top, height(slowest)) : 0;
    if (failed) bad += `M${x} 0h2v${top}h-2z`;
    if (low > 0) good += `M${x} ${HEIGHT}h2v${-low}h-2z`;
  });
  return svg("svg", { class: "hour", viewBox: `0 0 ${host.hour.length * STEP - 1} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": describe(host.hour) },
    svg("title", null, describe(host.hour)),
    svg("path", { class: "none", d: none }), svg("path", { class: "passed", d: good }), svg("path", { class: "failed", d: bad }));
}

/** 1 ms is 4 high, 3 s are 16: by the logarithm. */
function height(milliseconds) {
  return Math.round(4 + Math.min(12, 3.45 * Math.log10(Math.max(1, milliseconds))));
}

function describe(hour) {
  const sum = (index) => hour.reduce((total, minute) => total + minute[index], 0);
  const [passed, failed] = [sum(0), sum(1)];
  if (passed + failed === 0) return "Last hour: no samples";
  const slowest = Math.max(...hour.map(([, , slow]) => slow));
  const last = hour.findLastIndex(([, bad]) => bad > 0);
  const when = last === -1 ? "" : last === hour.length - 1 ? ", the newest within this minute" : `, the newest ${counted(hour.length - 1 - last, "minute")} ago`;
  return `Last hour: ${passed} of ${counted(passed + failed, "sample")} passed, ${failed} failed${when}; the slowest took ${slowest} ms`;
}

return { wireHosts, showHosts };
})();
