// What operators said, and when it ends.
import { by, command, el, renew } from "./dom.js";
import { clock, counting } from "./time.js";

export function showOverrides({ overrides, pause }) {
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
