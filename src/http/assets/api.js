// What is asked of the daemon. Paths are relative, so that a proxy may put the page below a folder.
import { setClock } from "./time.js";

const KEY = "srvkeeper-token";
const PATIENCE = 8_000;

let token = null;
try {
  token = sessionStorage.getItem(KEY);
} catch {
  // Storage can be off: then the token lives as long as the page.
}

/** Whether there is a token to present. */
export const hasToken = () => token !== null;

/** Presents this token from now on; it is kept until the tab is closed. */
export function setToken(text) {
  token = text;
  try {
    if (text === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, text);
  } catch {
    // As above.
  }
}

/** An answer that says no. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** No answer came. */
export class Unreachable extends Error {}

/** The answer to GET, which has to be 200. */
export async function get(path, { headers = {}, signal } = {}) {
  const authorization = token === null ? {} : { Authorization: `Bearer ${token}` };
  const answer = await fetch(path, { headers: { ...headers, ...authorization }, signal, cache: "no-store" }).catch((problem) => {
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
export async function ask(path, parameters = {}) {
  const set = Object.entries(parameters).filter(([, value]) => value !== null && value !== "" && value !== undefined);
  const query = new URLSearchParams(set).toString();
  const answer = await get(`api/v1/${path}${query && `?${query}`}`, { signal: AbortSignal.timeout(PATIENCE) });
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
export function coalesced(load, gap = 100) {
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
