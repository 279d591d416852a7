// What is asked of the daemon. Paths are relative, so that a proxy may put the page below a folder.
"use strict";

const daemon = (() => {
const { setClock } = dom;
const { early, question, storedToken, storeToken } = first;

/** No answer takes longer. */
const PATIENCE = 8_000;

let token = storedToken();

/** Whether there is a token to present. */
const hasToken = () => token !== null;

/** Presents this token from now on; it is kept until the tab is closed. */
function setToken(text) {
  token = text;
  storeToken(text);
}

/** An answer that says no. */
class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** No answer came. */
class Unreachable extends Error {}

/** The answer to GET, which has to be 200. */
async function get(path, { headers = {}, signal } = {}) {
  const authorization = token === null ? {} : { Authorization: `Bearer ${token}` };
  const isAsked = path === early.address && token === null;
  const asked = isAsked ? early.answer : fetch(path, { headers: { ...headers, ...authorization }, signal, cache: "no-store" });
  if (isAsked) early.address = null;
  const answer = await asked.catch((problem) => {
    throw new Unreachable(problem.message);
  });
  if (answer.ok) return answer;
  throw new Refused(answer.status, await reason(answer));
}

async function reason(answer) {
  try {
    return (await answer.json()).error ?? answer.statusText;
  } catch {
    return answer.statusText;
  }
}

/** The JSON under a path, as of now. */
async function ask(path, parameters = {}) {
  const answer = await get(question(path, parameters), { signal: AbortSignal.timeout(PATIENCE) });
  setClock(answer.headers.get("date"));
  const text = await answer.text().catch((problem) => {
    throw new Unreachable(problem.message);
  });
  return JSON.parse(text);
}

/**
 * Runs `load` when called, once at a time: calls meanwhile lead to one more run. Bursts are at least
 * `gap` milliseconds apart.
 */
function coalesced(load, gap = 100) {
  let running = false;
  let again = false;
  return async function run() {
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      do {
        again = false;
        await load();
        if (again) await new Promise((done) => setTimeout(done, gap));
      } while (again);
    } finally {
      running = false;
    }
  };
}

// The stream of events, read with fetch, because EventSource can present no token.

/** The daemon says something every 15 seconds. */
const SILENCE = 40_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

/**
 * Listens until the page is closed. `ears` are told of `open`, `event(name, data)`,
 * `lost({ since, next })` and `refused(problem)`; the times are those since which it is so and at
 * which it is tried again.
 */
class Stream {
  #ears;
  #lastId = null;
  #wait = FIRST_WAIT;
  /** Since when nothing comes. */
  #since = null;
  /** When something was heard last. */
  #heard = Date.now();
  #timer = null;
  #reading = null;

  constructor(ears) {
    this.#ears = ears;
    setInterval(() => {
      if (this.#reading && Date.now() - this.#heard > SILENCE) this.broken();
    }, 1000);
  }

  /**
   * Something else, which was `answered` last at that time, found that nobody answers: this connection
   * is none, even if it is still open.
   */
  broken(answered = 0) {
    this.#leave();
    this.#again(Math.max(this.#heard, answered));
  }

  /** Gives the connection back, until `connect`. */
  rest() {
    this.#leave();
  }

  /** True when there is no connection, and none is being made or waited for. */
  get isResting() {
    return this.#reading === null && this.#timer === null;
  }

  /** Connects, at once. Whatever was before is left. */
  async connect() {
    this.#leave();
    const reading = (this.#reading = new AbortController());
    const isLeft = () => this.#reading !== reading;
    const tooLate = setTimeout(() => isLeft() || this.broken(), PATIENCE);
    try {
      const headers = { Accept: "text/event-stream", ...(this.#lastId && { "Last-Event-ID": this.#lastId }) };
      const answer = await get("api/v1/events", { headers, signal: reading.signal });
      clearTimeout(tooLate);
      this.#heard = Date.now();
      this.#since = null;
      this.#ears.open();
      await this.#read(answer.body.getReader());
      throw new TypeError("the stream ended");
    } catch (problem) {
      if (isLeft()) return;
      this.#leave();
      if (!(problem instanceof Refused)) return this.#again(Date.now());
      this.#ears.refused(problem);
      // Without the token there is nothing to try again.
      if (problem.status !== 401) this.#later();
    } finally {
      clearTimeout(tooLate);
    }
  }

  #leave() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#reading?.abort();
    this.#reading = null;
  }

  #again(since) {
    this.#since ??= since;
    this.#ears.lost({ since: this.#since, next: this.#later() });
  }

  #later() {
    // Not all pages at once when the daemon is back.
    const wait = this.#wait * (0.8 + 0.4 * Math.random());
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    this.#timer = setTimeout(() => this.connect(), wait);
    return Date.now() + wait;
  }

  async #read(reader) {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#heard = Date.now();
      this.#wait = FIRST_WAIT;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block) {
    const fields = {};
    for (const line of block.split("\n")) {
      const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (name) fields[name] = value;
    }
    if (!fields.event) return;
    if (fields.id) this.#lastId = fields.id;
    this.#ears.event(fields.event, JSON.parse(fields.data ?? "{}"));
  }
}

return { hasToken, setToken, Refused, Unreachable, ask, coalesced, Stream };
})();
