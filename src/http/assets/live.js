// The stream of events, read with fetch, because EventSource can present no token.
import { Refused, get } from "./api.js";

/** The daemon says something every 15 seconds. */
const SILENCE = 40_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

/**
 * Listens until the page is closed. `ears` are told of `open`, `event(name, data)`,
 * `lost({ since, next })` and `refused(problem)`; the times are those at which it was noticed and at
 * which it is tried again.
 */
export class Stream {
  #ears;
  #lastId = null;
  #wait = FIRST_WAIT;
  #since = null;
  #timer = null;
  #reading = null;

  constructor(ears) {
    this.#ears = ears;
  }

  /** Connects, at once. Whatever was before is left. */
  async connect() {
    clearTimeout(this.#timer);
    this.#reading?.abort();
    const reading = (this.#reading = new AbortController());
    let heard = Date.now();
    let timedOut = false;
    const watchdog = setInterval(() => {
      if (Date.now() - heard > SILENCE) {
        timedOut = true;
        reading.abort();
      }
    }, 1000);
    try {
      const headers = { Accept: "text/event-stream", ...(this.#lastId && { "Last-Event-ID": this.#lastId }) };
      const answer = await get("api/v1/events", { headers, signal: reading.signal });
      heard = Date.now();
      this.#since = null;
      this.#ears.open();
      await this.#read(answer.body.getReader(), () => (heard = Date.now()));
      throw new TypeError("the stream ended");
    } catch (problem) {
      // Another connect has begun: that one tells.
      if (this.#reading !== reading) return;
      if (problem instanceof Refused && problem.status === 401) return this.#ears.refused(problem);
      if (problem instanceof Refused) this.#ears.refused(problem);
      this.#again(problem, timedOut ? heard : Date.now());
    } finally {
      clearInterval(watchdog);
    }
  }

  #again(problem, since) {
    this.#since ??= since;
    // Not all at once when the daemon is back.
    const wait = this.#wait * (0.8 + 0.4 * Math.random());
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    this.#timer = setTimeout(() => this.connect(), wait);
    if (!(problem instanceof Refused)) this.#ears.lost({ since: this.#since, next: Date.now() + wait });
  }

  async #read(reader, hear) {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      hear();
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
