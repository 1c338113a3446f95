// The list of notable queries: asks /queries.json every second with the filters that the reader chose, until it is paused.

import { count, withoutDot } from "./figures.js";
import { element, keyed, setClass, setText, tableRow } from "./rows.js";

const LIMIT = 50;
const KINDS = { slow: "warn", servfail: "bad", refused: "", limited: "warn", stale: "warn", malformed: "" };
const HEADS = ["time", "kind", "client", "name", "type", "result", "source", "attempts", "ms"];

const $ = (id) => document.getElementById(id);

let paused = false;
let shown = null; // the last answer

/* Whether it is an address or a prefix, and not the beginning of one. The server looks more closely. */
function isClient(text) {
  const [address, bits] = text.split("/", 2);
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return false;
  return /^(\d{1,3}\.){3}\d{1,3}$/.test(address) || (address.includes(":") && URL.canParse("http://[" + address + "]/"));
}

function filters() {
  const wanted = { kind: $("queries-kind").value, min_ms: $("queries-min").value, limit: LIMIT };
  if (!$("queries-client").closest("[data-names]").hidden) {
    wanted.client = $("queries-client").value.trim();
    wanted.name = $("queries-name").value.trim();
  }
  return new URLSearchParams(wanted);
}

const clock = (query) => new Date(query.time).toLocaleTimeString([], { hour12: false });

/* "SERVFAIL, EDE 22: upstream does not answer"; of one without a reply why there is none. */
function result(query) {
  const error = query.ede === null ? "" : ", EDE " + query.ede + (query.ede_text ? ": " + query.ede_text : "");
  const reason = query.reason ? " (" + query.reason.replaceAll("_", " ") + ")" : "";
  return (query.rcode ?? "no reply") + error + reason;
}

/* Where the answer came from, and of which server it was asked. */
function source(query) {
  const route = query.route ? "route " + query.route : "";
  return [query.source ?? "", query.upstream ?? route].filter((text) => text).join(", ") || "–";
}

const milliseconds = (ms) => (ms > 0 && ms < 10 ? ms.toFixed(1) : count(ms));

function update(row, query) {
  const client = query.client ? query.client + " " + query.transport : query.transport;
  const attempts = query.attempts > 0 ? count(query.attempts) : "–";
  const texts = [clock(query), query.kind, client, query.name ? withoutDot(query.name) : "–", query.type ?? "–", result(query), source(query), attempts, milliseconds(query.ms)];
  tableRow(row, texts.map((text, i) => [text, i === 1 ? KINDS[query.kind] : "", HEADS[i]]));
  row.title = "worker " + query.worker + (query.question ? ", question " + query.question : "");
}

const key = (query) => [query.at_ms, query.worker, query.kind, query.client, query.port, query.name, query.type, query.question].join(" ");

/* What there is besides the rows, in words. */
function note() {
  const all = Object.entries(shown.kinds).filter(([, n]) => n.seen > 0);
  const left = all.reduce((sum, [, n]) => sum + n.left_out, 0);
  const seen = all.map(([kind, n]) => kind + " " + count(n.seen)).join(", ");
  return "Since the start: " + (seen || "none") + "." + (left > 0 ? " Too many in a second to be kept: " + count(left) + "." : "");
}

function show() {
  keyed($("queries"), shown.queries, key, () => element("tr"), update);
  setText($("queries-none"), shown.queries.length > 0 ? "" : shown.kept_of_each_kind === 0 ? "log.recent is 0: none are kept." : "None.");
  setText($("queries-seen"), note());
}

function say(text, className = "quiet") {
  setText($("queries-state"), text);
  setClass($("queries-state"), className);
}

async function fetchQueries() {
  const wanted = filters().toString();
  const client = filters().get("client");
  if (client && !isClient(client)) {
    say("client: an address or a prefix is wanted", "bad");
    return;
  }
  const answer = await fetch("queries.json?" + wanted, { signal: AbortSignal.timeout(3000) });
  const got = await answer.json();
  if (wanted !== filters().toString()) return; // others were chosen meanwhile
  if (!answer.ok) {
    say(got.error, "bad");
    return;
  }
  shown = got;
  if (!paused) say("");
  show();
}

/* Once a second. */
export async function updateQueries() {
  if (!paused) await fetchQueries();
}

$("queries-pause").addEventListener("click", () => {
  paused = !paused;
  $("queries-pause").setAttribute("aria-pressed", String(paused));
  setText($("queries-pause"), paused ? "Resume" : "Pause");
  say(paused ? "Paused at " + new Date().toLocaleTimeString([], { hour12: false }) + "." : "");
});
/* A filter applies at once, also to a list that is paused. */
$("queries-filter").addEventListener("input", () => fetchQueries().catch(() => {}));
$("queries-filter").addEventListener("submit", (event) => event.preventDefault());
