// The zones of one page, as the daemon filters and sorts them.
"use strict";

const zones = (() => {
const { by, clock, command, counting, el, grouped, keep, pages, prose, renew, say, show, zoneState, zoneWord } = dom;
const { nextOf, whyOf } = todo;
const { ZONE_STATES } = first;

const opened = new Set();
let act = {};

/** `actions`: `turn(page)`, `choose(state)`, `changesOf(zone)`. */
function wireZones(actions) {
  act = actions;
}

function showZones(status, view) {
  const { page, totals, zones } = status;
  say(by("zones-count"), page.total === totals.zones ? grouped(totals.zones) : `${grouped(page.total)} of ${grouped(totals.zones)}`);
  states(totals, view);
  for (const button of document.querySelectorAll("#zones [data-sort]")) {
    const order = { problems: "descending", name: "ascending", changed: "descending" }[button.dataset.sort];
    button.closest("th").setAttribute("aria-sort", view.sort === button.dataset.sort ? order : "none");
  }
  show(by("zones"), zones.length > 0);
  show(by("zones-empty"), zones.length === 0);
  renew(by("zones-empty"), [totals.zones, page.pages, view], () => empty(totals, view));
  keep(by("zones"), zones, { key: (zone) => `${zone.zone} ${zone.owner}`, make, update });
  pages(by("zones-pages"), page, "zone", act.turn);
}

function empty(totals, view) {
  if (totals.zones === 0) return "No zones are configured.";
  const clear = el("button", { type: "button", click: () => act.choose(null, true), "data-focus": "clear" }, "Show all zones");
  if (view.problems && !view.search) return ["No zone asks for attention. ", clear];
  return ["No zone fits this filter. ", clear];
}

function states(totals, view) {
  const of = (state) => totals[state.replace("-", "_")];
  const present = ZONE_STATES.filter((state) => of(state) > 0 || view.state === state);
  renew(by("states"), [present.map(of), present, totals.zones, totals.problems, view.state, view.problems], () => [
    chip("all", totals.zones, !view.state && !view.problems, null),
    chip("problems", totals.problems, view.problems, "problems"),
    present.map((state) => chip(zoneWord(state), of(state), view.state === state, state)),
  ]);
}

const chip = (word, number, isPressed, choice) => el("button",
  { type: "button", class: "chip", "aria-pressed": String(Boolean(isPressed)), "data-focus": `chip ${word}`, click: () => act.choose(choice) },
  word, " ", el("span", { class: "chip-count" }, grouped(number)));

function make(zone) {
  const cell = (label, of = "td", more = {}) => el(of, { role: of === "th" ? "rowheader" : "cell", "data-label": label, ...more });
  const number = { class: "number" };
  const id = `zone ${zone.zone} ${zone.owner}`;
  const row = el("tr", { role: "row" },
    cell("State"), cell("Zone", "th", { scope: "row" }), cell("Published"), cell("Missing", "td", number), cell("Held", "td", number),
    cell("Foreign", "td", number), cell("Name servers"), cell("Serial", "td", number), cell("Last success"), cell("Last change"));
  const below = el("td", { role: "cell", colspan: 9 });
  const body = el("tbody", { role: "rowgroup" }, row, el("tr", { role: "row", class: "note", hidden: true }, el("td", { role: "cell" }), below));
  body.below = below;
  body.toggle = () => {
    if (!opened.delete(id)) opened.add(id);
    update(body, body.newest);
  };
  body.isOpen = () => opened.has(id);
  return body;
}

function update(body, zone) {
  body.newest = zone;
  const isOpen = body.isOpen();
  const [state, name, published, missing, held, foreign, servers, serial, success, change] = body.rows[0].cells;
  body.className = `${zone.level === "ok" ? "" : "loud"} ${isOpen ? "open" : ""}`;
  renew(state, [zone.state, zone.level], () => zoneState(zone));
  renew(name, isOpen, () => nameOf(zone, isOpen, body.toggle));
  renew(published, [zone.published, zone.state], () => publishedOf(zone));
  count(missing, zone.missing.length);
  count(held, zone.held.length - zone.contested, zone.contested);
  count(foreign, zone.foreign.length);
  servers.classList.toggle("zero", !zone.name_servers);
  change.classList.toggle("zero", !zone.last_change);
  renew(servers, zone.name_servers, () => serversOf(zone.name_servers));
  renew(serial, zone.serial, () => (zone.serial === null ? el("span", { class: "dim" }, "\u2013") : String(zone.serial)));
  renew(success, zone.last_success, () => (zone.last_success ? counting("ago", zone.last_success) : el("span", { class: "dim" }, "never")));
  renew(change, zone.last_change, () => changeOf(zone.last_change));
  const why = zone.level === "ok" || isOpen ? [] : whyOf(zone);
  renew(body.below, [isOpen, isOpen ? zone : why.length && whyKey(zone)], () => {
    if (isOpen) return el("div", { class: "detail" }, detail(zone));
    return why.length ? el("span", { class: "reason" }, why) : null;
  });
  show(body.rows[1], isOpen || why.length > 0);
}

function nameOf(zone, isOpen, toggle) {
  const service = zone.owner.endsWith(`.${zone.zone}`) ? zone.owner.slice(0, -zone.zone.length - 1) : zone.owner;
  return [
    el("button", { type: "button", class: "toggle", "aria-expanded": String(isOpen), click: toggle, "data-focus": `zone ${zone.owner}` },
      el("span", { class: "turn", "aria-hidden": "true" }), el("span", { class: "name" }, zone.zone)),
    service === "_vlmcs._tcp" ? null : el("span", { class: "dim" }, ` ${service}`),
  ];
}

const whyKey = ({ error, held, obstacle, pending, name_servers }) => [error, held, obstacle, pending, name_servers];

/** So many targets are named in the table. */
const TARGETS = 4;

function publishedOf({ published, state }) {
  if (state === "unread" || state === "unreadable") return el("span", { class: "dim" }, "not known");
  if (!published.length) return el("strong", null, "none");
  const targets = [...new Set(published.map((record) => record.target))];
  const more = targets.length > TARGETS ? `and ${targets.length - TARGETS} more` : null;
  return [el("span", { class: "many" }, String(published.length)),
    el("span", { class: "targets" }, targets.slice(0, TARGETS).map((target) => [el("span", { class: "name" }, target), " "]), more)];
}

function count(cell, number, contested = 0) {
  // A phone leaves it out.
  cell.classList.toggle("zero", number + contested === 0);
  renew(cell, [number, contested], () => [
    el("span", { class: number ? "look" : "dim" }, String(number)),
    contested ? el("span", { class: "look" }, ` + ${contested} contested`) : null,
  ]);
}

function serversOf(servers) {
  if (!servers) return el("span", { class: "dim", title: "The other name servers are asked after an update." }, "\u2013");
  if (servers.error) return el("span", { class: "look", title: servers.error }, "not known");
  const all = servers.agreeing === servers.total;
  if (servers.total === 0) return el("span", { class: "dim" }, "no other");
  return el("span", { class: all ? "" : "look" }, all ? `all ${servers.total} agree` : `${servers.agreeing} of ${servers.total} agree`);
}

function changeOf(change) {
  if (!change) return el("span", { class: "dim", title: "since the daemon began" }, "none");
  const word = change.outcome === "applied" ? null : el("span", { class: "look" }, ` ${change.outcome}`);
  return [counting("ago", change.at), word];
}

const RECORD = ({ priority, weight, port, target }) => [`${priority} ${weight} ${port} `, el("span", { class: "name" }, target)];

function detail(zone) {
  const list = (title, items) => (items.length ? el("div", null, el("h3", null, title), el("ul", null, items)) : null);
  const why = whyOf(zone);
  return [
    zone.level === "ok" ? null : el("p", { class: "wide" }, why.length ? [...why, ". "] : null, el("span", { class: "next" }, nextOf(zone))),
    list(zone.ttl === null ? "Published" : `Published, TTL ${zone.ttl} s`, zone.published.map((record) => el("li", null, RECORD(record)))),
    list("Missing", zone.missing.map((record) => el("li", null, RECORD(record)))),
    list("Held", zone.held.map(({ change, guard, text }) => el("li", null,
      change.type, " ", RECORD(change.after ?? change.before), el("span", { class: "reason" }, prose(`${guard}: ${text}`))))),
    list("Foreign", zone.foreign.map(({ record, text }) => el("li", null, RECORD(record), el("span", { class: "reason" }, text)))),
    list("Name servers", (zone.name_servers?.servers ?? []).map((server) => el("li", { class: server.state === "agrees" ? null : "look" },
      el("span", { class: "name" }, server.name ?? server.address ?? "?"), ` ${server.state}`, server.serial === null ? "" : `, serial ${server.serial}`,
      server.text ? el("span", { class: "reason" }, server.text) : null))),
    list("Looked at", [
      zone.server ? el("li", null, "at ", el("span", { class: "name" }, zone.server)) : null,
      el("li", null, zone.last_attempt ? ["last attempt ", clock(zone.last_attempt)] : "not yet"),
      zone.last_success ? el("li", null, "last success ", clock(zone.last_success)) : null,
      zone.last_change ? el("li", null, "last change ", clock(zone.last_change.at), ` by ${zone.last_change.actor}: ${zone.last_change.outcome}`,
        el("span", { class: "reason" }, zone.last_change.text)) : null,
    ].filter(Boolean)),
    el("p", { class: "wide" }, command("srvkeeper", "plan", zone.zone), " ",
      el("button", { type: "button", "data-focus": `changes ${zone.owner}`, click: () => act.changesOf(zone.zone) }, "Its changes below")),
  ];
}

// The pending plan, in the lines and colours of a terminal.

/** Zones on a page of the plan. */
const PLAN_PER_PAGE = 20;

function showPlan(plan, isAudit, turn) {
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

// What the daemon and people changed, the newest first, each change with its reason.

/** Changes asked for at a time. */
const LIMIT = 20;

/** Shows them; `zone` where it is those of one zone, and `all` leads back. */
function showHistory(changes, { zone, hasMore, all }) {
  show(by("history-of"), zone !== null);
  renew(by("history-of"), zone, () => (zone === null ? [] : ["Changes of ", el("span", { class: "name" }, zone), ". ",
    el("button", { type: "button", click: all, "data-focus": "all changes" }, "Show those of all zones")]));
  show(by("history-empty"), changes.length === 0);
  say(by("history-empty"), "Nothing was changed yet.");
  keep(by("history"), changes, { key: (change) => change.id, make: () => el("li", null), update: updateChange });
  show(by("history-more"), hasMore);
}

/** The history cannot be read. */
function historyFailed(why) {
  show(by("history-empty"), true);
  say(by("history-empty"), `The history cannot be read: ${why}`);
}

const TONES = { applied: "ok", refused: "bad", failed: "bad", stale: "warn", unknown: "warn" };

function updateChange(item, change) {
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

return { wireZones, showZones, PLAN_PER_PAGE, showPlan, LIMIT, showHistory, historyFailed };
})();
