// Times: shown in the local zone, with the exact one in the title, counted by the daemon's clock.
import { el, say } from "./dom.js";

/** The daemon's clock less ours, in milliseconds; small differences are the way's. */
let offset = 0;

/** Takes the `Date` header of an answer. */
export function setClock(header) {
  const difference = Date.parse(header) - Date.now();
  if (Number.isFinite(difference)) offset = Math.abs(difference) > 2000 ? difference : 0;
}

/** Now by the daemon's clock, in milliseconds. */
export const now = () => Date.now() + offset;

const two = (number) => String(number).padStart(2, "0");

/** `03:12:07` today, else `2026-11-23 03:12`. */
export function local(time) {
  const date = new Date(time);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (date.toDateString() === new Date(now()).toDateString()) return `${clock}:${two(date.getSeconds())}`;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`;
}

/** `12 s`, `4 min`, `3 h 12 min`, `5 d 3 h`. */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days} d${hours % 24 ? ` ${hours % 24} h` : ""}`;
  if (hours) return `${hours} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
  return minutes ? `${minutes} min` : `${seconds} s`;
}

/** The point in time, `03:12:07`. */
export function clock(text) {
  return el("time", { datetime: text, title: text }, local(Date.parse(text)));
}

const FORMS = {
  ago: (time) => `${span(now() - time)} ago`,
  for: (time) => span(now() - time),
  left: (time) => (time > now() ? `${span(time - now())} left` : "ending now"),
};

/** How far away it is, `4 min ago`: counts by itself. */
export function counting(form, text) {
  return el("time", { datetime: text, title: text, "data-form": form }, FORMS[form](Date.parse(text)));
}

/** Lets all of them count. */
export function count() {
  for (const element of document.querySelectorAll("time[data-form]")) {
    say(element, FORMS[element.dataset.form](Date.parse(element.dateTime)));
  }
}
