"use strict";
// Texts come from the network: only textContent is written.
const row = (cells) => {
  const tr = document.createElement("tr");
  for (const cell of cells) {
    tr.appendChild(document.createElement("td")).textContent = cell;
  }
  return tr;
};
const fill = (id, rows) => document.getElementById(id).replaceChildren(...rows.map(row));
const say = (id, text) => { document.getElementById(id).textContent = text; };

async function load() {
  const answer = await fetch("api/v1/status?page=1&per_page=100");
  if (!answer.ok) { say("state", `the daemon answered ${answer.status}`); return; }
  const status = await answer.json();
  say("verdict", `${status.verdict.level}: ${status.verdict.text}`);
  say("state", `as of ${status.at}`);
  fill("hosts", status.hosts.map((h) => [h.host, h.state + (h.forced ? " (forced)" : ""), h.reason]));
  fill("zones", status.zones.map((z) => [z.zone, z.state, z.published.map((r) => r.target).join(" ")]));
}

const events = new EventSource("api/v1/events");
for (const name of ["host", "zones", "override", "pause", "alert", "copies", "configured", "resync", "heartbeat"]) {
  events.addEventListener(name, load);
}
events.onerror = () => say("state", "the connection is lost: what stands here is old");
load();
