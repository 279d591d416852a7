// The page: what is asked when, and what is shown of it.
"use strict";

(() => {
const { ask, coalesced, hasToken, Refused, setToken, Stream, Unreachable } = daemon;
const { by, command, copying, count, say, show } = dom;
const { showHosts, wireHosts } = hosts;
const { showOverrides, showTodo } = todo;
const { readView, unveil, wanted, writeView } = first;
const { historyFailed, LIMIT, PLAN_PER_PAGE, showHistory, showPlan, showZones, wireZones } = zones;

/** Samples are no events; they are asked for so often. */
const EVERY = 10_000;
/** A browser keeps six connections to one server: a tab in the background gives its own back. */
const REST_AFTER = 60_000;

const view = readView();
let generation = null;
/** The newest generation that the stream told of. */
let heard = null;
let planPage = 1;
let historyZone = null;
let turns = 0;
let isLoaded = false;
/** When the status last came. */
let answered = 0;
let version = null;

const status = coalesced(() => guarded(async () => {
  const { search, state, sort, page } = view;
  const isWhole = !search && !state && page === 1 && sort === "problems";
  const [answer, first] = await Promise.all([ask("status", wanted(view)), isWhole ? null : ask("status", { problems: 1, page: 1, per_page: 5 })]);
  answered = Date.now();
  // Zones went meanwhile.
  if (page > answer.page.pages) {
    view.page = answer.page.pages;
    status();
  }
  render(answer, (first ?? answer).zones.filter((zone) => zone.level !== "ok"));
  if (generation !== answer.generation) {
    generation = answer.generation;
    plan();
    history();
  }
  // Something happened between the answer and the begin of the stream.
  if (heard > generation) status();
}));

const plan = coalesced(() => guarded(async () => {
  const answer = await ask("plan", { format: "lines", page: planPage, per_page: PLAN_PER_PAGE });
  if (planPage > answer.page.pages) {
    planPage = answer.page.pages;
    plan();
  }
  showPlan(answer, by("mode").textContent === "audit", (page) => {
    planPage = page;
    plan();
  });
}));

const history = coalesced(() => guarded(async () => {
  try {
    const found = [];
    // The pages that were opened, one after the other: what is newer moves them.
    for (let turn = 0, before = null; turn <= turns; turn += 1) {
      const { changes } = await ask("history", { zone: historyZone, limit: LIMIT, before });
      found.push(...changes);
      if (changes.length < LIMIT) {
        return showHistory(found, { zone: historyZone, hasMore: false, all: () => changesOf(null) });
      }
      before = changes.at(-1).id;
    }
    showHistory(found, { zone: historyZone, hasMore: true, all: () => changesOf(null) });
  } catch (problem) {
    if (!(problem instanceof Refused) || problem.status === 401) throw problem;
    historyFailed(problem.message);
  }
}));

function changesOf(zone) {
  historyZone = zone;
  turns = 0;
  history();
  if (zone !== null) by("history-title").scrollIntoView({ block: "start" });
}

function render(answer, problems) {
  // The daemon was replaced by another version, which has a page of its own.
  if (version !== null && version !== answer.version) return location.reload();
  version = answer.version;
  show(by("main"), true);
  show(by("parts"), true);
  head.showVerdict(answer);
  showTodo(answer, problems, () => choose("problems"));
  showHosts(answer);
  showZones(answer, view);
  showOverrides(answer);
  head.shown(answer);
  if (!isLoaded) {
    isLoaded = true;
    unveil();
    performance.mark("shown");
  }
}

/** What goes wrong is shown: the token is asked for, or the banner says it. */
async function guarded(load) {
  try {
    await load();
  } catch (problem) {
    if (problem instanceof Refused && problem.status === 401) signIn(problem.message);
    else if (problem instanceof Refused) head.answered(problem.message);
    else if (problem instanceof Unreachable) head.isLost() || stream.broken(answered);
    else {
      head.answered(`this page cannot show it (${problem.message})`);
      throw problem;
    }
  }
}

const stream = new Stream({
  open() {
    heard = null;
    head.open();
    if (isLoaded) status();
  },
  event(name, data) {
    if (name !== "heartbeat") return status();
    heard = data.generation;
    head.beat(data.at);
    if (isLoaded && heard !== generation) status();
  },
  lost: head.gone,
  refused(problem) {
    if (problem.status === 401) signIn(problem.message);
    else head.streamRefused(problem.message);
  },
});

/** Only while it is connected: what is lost is looked for. */
function rest() {
  if (head.isLost()) return;
  stream.rest();
  head.resting();
}

function signIn(why) {
  const isFirst = by("sign-in").hidden;
  unveil();
  head.locked();
  show(by("sign-in"), true);
  show(by("main"), false);
  show(by("parts"), false);
  say(by("sign-in-problem"), hasToken() ? `That is not it: ${why}` : "");
  if (isFirst) by("token").focus();
}

function wire() {
  by("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    setToken(by("token").value.trim());
    by("token").value = "";
    enter();
  });
  by("forget").addEventListener("click", () => {
    setToken(null);
    location.reload();
  });
  by("try-now").addEventListener("click", () => stream.connect());
  window.addEventListener("online", () => stream.connect());
  by("filter").addEventListener("submit", (event) => event.preventDefault());
  let typing = null;
  by("search").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => look({ search: by("search").value.trim() }), 120);
  });
  by("order").addEventListener("change", () => look({ sort: by("order").value }));
  for (const button of document.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => look({ sort: button.dataset.sort }));
  }
  by("history-more").addEventListener("click", () => {
    turns += 1;
    history();
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.("input, select, textarea");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      by("search").focus();
      by("search").select();
    }
  });
  let resting = null;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(resting);
    if (document.hidden) resting = setTimeout(rest, REST_AFTER);
    else {
      if (stream.isResting && by("sign-in").hidden) stream.connect();
      status();
    }
  });
  wireHosts();
  wireZones({ choose, changesOf, turn: (page) => look({ page }) });
  copying();
  by("explain").replaceChildren(command("srvkeeper", "explain", "0xC004F074"));
}

/** Shows these zones, from the first page on unless it says which. */
function look(wanted) {
  Object.assign(view, { page: 1 }, wanted);
  by("order").value = view.sort;
  writeView(view);
  status();
}

/** Zones in one state, with problems, or all of them. */
function choose(state, isAnew = false) {
  if (isAnew) by("search").value = "";
  look({ state: state === "problems" ? null : state, problems: state === "problems", search: isAnew ? "" : view.search });
}

function enter() {
  show(by("sign-in"), false);
  show(by("forget"), hasToken());
  status();
  stream.connect();
}

wire();
by("search").value = view.search;
by("order").value = view.sort;
enter();
setInterval(() => {
  head.tell();
  if (!document.hidden) count();
}, 1000);
setInterval(() => {
  if ((!document.hidden || stream.isResting) && !head.isLost() && by("sign-in").hidden) status();
}, EVERY);
})();
