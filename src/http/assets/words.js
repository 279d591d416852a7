// The words for states, and the sign beside each: colour is never the only one.
import { el } from "./dom.js";

// U+FE0E: as text, not as a picture.
const text = (sign) => `${sign}\uFE0E`;
const FINE = text("\u2714");
const BAD = text("\u2716");
const LOOK = text("\u25B2");
const OPEN = "\u25CB";

/** How things are altogether: its sign, its word, its class. */
export const LEVELS = {
  ok: { sign: FINE, word: "OK", tone: "ok" },
  warning: { sign: LOOK, word: "Warning", tone: "warn" },
  critical: { sign: BAD, word: "Critical", tone: "bad" },
};

/** The gravest level first. */
export const gravest = ["critical", "warning", "ok"];

const HOSTS = {
  up: { sign: FINE, tone: "ok" },
  down: { sign: BAD, tone: "bad" },
  suspect: { sign: LOOK, tone: "warn" },
  unknown: { sign: "?", tone: "open" },
};

const ZONES = {
  unreadable: { sign: BAD, means: "could not be read at its primary" },
  failed: { sign: BAD, means: "its update was not applied" },
  short: { sign: BAD, means: "fewer than min_hosts hosts that are not down are published" },
  held: { sign: "\u2016", means: "a guard withholds something" },
  pending: { sign: "\u2192", means: "something is to be changed and was not written" },
  unread: { sign: OPEN, means: "not looked at yet" },
  "in-sync": { sign: FINE, means: "nothing is to be done" },
};

/** The states of zones, the gravest first. */
export const ZONE_STATES = Object.keys(ZONES);

/** How a state of zones is written. */
export const zoneWord = (state) => state.replace("-", " ");

const badge = (tone, sign, word, title) =>
  el("span", { class: `state ${tone}`, title },
    el("span", { class: "sign", "aria-hidden": "true" }, sign), ` ${word}`);

/** A host's state. */
export function hostState(host) {
  const { sign, tone } = HOSTS[host.state] ?? HOSTS.unknown;
  const forced = host.forced ? el("span", { class: "forced" }, " forced") : null;
  return [badge(host.role === "retired" ? "open" : tone, sign, host.state), forced];
}

/** A zone's state. */
export function zoneState(zone) {
  const { sign, means } = ZONES[zone.state] ?? ZONES.unread;
  const tone = zone.state === "unread" ? "open" : LEVELS[zone.level]?.tone;
  return badge(tone, zone.state === "in-sync" && zone.level !== "ok" ? LOOK : sign, zoneWord(zone.state), means);
}

/** `1 zone`, `2 zones`. */
export const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** Numbers are grouped by thin spaces from five digits on: `10 000`. */
export const grouped = (number) => (number < 10_000 ? String(number) : String(number).replace(/\B(?=(\d{3})+$)/g, "\u202F"));
