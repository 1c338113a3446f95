// The status page: asks /status.json every second and /history.json for the past, and shows what they say.
//
// The server gives counters as they stand; rates, ratios and percentiles of the last minute are made here of two samples.

import { area, draw, largest, line, mark, path, readable, roundUp } from "./charts.js";
import { bytes, count, duration, milliseconds, perSecond, percent, percentiles, rate, sum, withoutDot } from "./figures.js";
import { updateQueries } from "./queries.js";
import { element, keyed, setClass, setText, tableRow, terms } from "./rows.js";

const EVERY_MS = 1000;
const WINDOW_MS = 60 * 1000; // what "last minute" means
const MOMENT_MS = 5 * 1000; // what the large figure is an average of
const LIST_MAX = 10; // of the busiest there are as many
const GAP_MS = 2500; // between two samples: then the history is asked for again

const CODES = ["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "other"];

const samples = []; // of the last minute and a little, oldest first
let range = "5m";
let history = null; // the answer of /history.json, extended by what came since
let cursor = null; // 0..1 across the large chart

const $ = (id) => document.getElementById(id);

// ---- samples

/* The newest sample at least `ms` older than the last, else the oldest there is. */
function sampleBefore(ms) {
  const last = samples[samples.length - 1];
  for (let i = samples.length - 2; i > 0; i--) if (last.now_ms - samples[i].now_ms >= ms) return samples[i];
  return samples[0];
}

const upstreamQueries = (sample) => sample.upstreams.reduce((all, upstream) => all + upstream.queries, 0);
const sameUpstream = (sample, upstream) => sample.upstreams.find((other) => other.name === upstream.name) ?? upstream;

// ---- history

async function fetchHistory() {
  const wanted = range;
  const answer = await fetch("history.json?range=" + wanted, { signal: AbortSignal.timeout(3000) });
  if (!answer.ok) throw new Error(answer.statusText);
  const got = await answer.json();
  if (wanted === range) history = got; // else another was chosen meanwhile
}

/* The seconds of the shortest range are added here; a longer one is asked for again when its next step is over. */
function extend(before, now) {
  const push = (values, value) => {
    values.shift();
    values.push(value);
  };
  const figure = (name, value) => push(history.figures[name], value);
  const asked = now.cache.hits + now.cache.misses > before.cache.hits + before.cache.misses;
  const between = sampleBefore(EVERY_MS * 2);
  figure("queries", perSecond(before, now, (s) => s.queries));
  figure("upstream_queries", perSecond(before, now, upstreamQueries));
  figure("servfail", perSecond(before, now, (s) => s.responses.SERVFAIL));
  figure("hits", asked ? perSecond(before, now, (s) => s.cache.hits) : null);
  figure("misses", asked ? perSecond(before, now, (s) => s.cache.misses) : null);
  figure("upstream_p90_ms", percentiles(between.latency.upstream, now.latency.upstream, now.edges_ms)[1]);
  for (const upstream of history.upstreams) {
    const known = now.upstreams.find((other) => other.name === upstream.name);
    if (!known) return false;
    push(upstream.p90_ms, percentiles(sameUpstream(between, known).latency, known.latency, now.edges_ms)[1]);
  }
  history.end_ms = now.now_ms;
  return history.upstreams.length === now.upstreams.length;
}

async function updateHistory(now) {
  const before = samples[samples.length - 2];
  const gone = now.now_ms - (history?.end_ms ?? 0);
  if (!history || history.range !== range || gone < 0) return fetchHistory();
  if (range !== "5m") return gone > history.step_ms + EVERY_MS ? fetchHistory() : undefined;
  if (!before || gone > GAP_MS || !extend(before, now)) return fetchHistory();
}

const series = (values) => ({ step: history.step_ms, end: history.end_ms, values });

// ---- charts

/* "14:03:20", and with the day where the chart is longer than one. */
function clockOf(at, now) {
  const moment = new Date(Date.now() - (now.now_ms - at));
  return range === "24h" ? moment.toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit" }) : moment.toLocaleTimeString();
}

function eventMarks(now) {
  return history.events
    .map((event) => mark(event.at_ms, series(history.figures.queries), event.kind + (event.upstream ? ", " + event.upstream : "") + ", " + clockOf(event.at_ms, now)))
    .filter((made) => made !== null);
}

/* What the cursor stands on, in words. */
function noteAt(i, now) {
  const figures = history.figures;
  const at = history.end_ms - (figures.queries.length - 1 - i) * history.step_ms;
  const near = history.events.filter((event) => Math.abs(event.at_ms - at) <= 2 * history.step_ms).map((event) => event.kind);
  if (figures.queries[i] === null) return [clockOf(at, now), "no data", ...near].join(" · ");
  const failed = figures.servfail[i] > 0 ? ", SERVFAIL " + rate(figures.servfail[i]) + "/s" : "";
  return [clockOf(at, now), rate(figures.queries[i]) + "/s, upstream " + rate(figures.upstream_queries[i] ?? 0) + "/s" + failed, ...near].join(" · ");
}

function drawMain(now) {
  const { queries, upstream_queries: upstream, servfail } = history.figures;
  const top = roundUp(Math.max(10, largest(queries)) * 1.05);
  const nodes = [path("grid", "M0 100H1000M0 50H1000M0 0H1000"), path("area", area(queries, top)), path("", line(queries, top))];
  nodes.push(path("second", line(upstream, top)), path("bad", area(servfail, top)), ...eventMarks(now));
  let note = "";
  if (cursor !== null) {
    const i = Math.round(cursor * (queries.length - 1));
    nodes.push(path("cursor", "M" + ((1000 * i) / (queries.length - 1)).toFixed(1) + " 0V100"));
    note = noteAt(i, now);
  }
  draw($("chart"), nodes);
  setText($("chart-note"), note);
  setText($("chart-top"), count(top));
  setText($("chart-half"), top % 2 ? (top / 2).toFixed(1) : count(top / 2));
  setText($("chart-from"), { "5m": "5 min ago", "1h": "1 h ago", "24h": "24 h ago" }[range]);
}

function drawCharts(now) {
  if (!history) return;
  drawMain(now);
  const { hits, misses, upstream_p90_ms: p90 } = history.figures;
  const ratio = hits.map((n, i) => (n !== null && n + misses[i] > 0 ? n / (n + misses[i]) : null));
  draw($("hit-chart"), [path("area", area(ratio, 1)), path("", line(ratio, 1))]);
  const slowest = roundUp(Math.max(1, largest(p90)));
  draw($("latency-chart"), [path("area", area(p90, slowest)), path("", line(p90, slowest))]);
  setText($("latency-top"), ", scale to " + count(slowest) + " ms");
}

// ---- the cards

function showState(text, kind) {
  setText($("state-text"), text);
  setClass($("state"), "state " + kind);
  document.title = (kind === "good" ? "" : "● ") + "dns-tls-proxy";
}

function showHead(now) {
  if (!now.live) showState("a thread does not respond", "bad");
  else if (!now.ready) showState("not ready: " + now.reason, "warn");
  else showState("ready", "good");
  const kept = now.handover.given > 0 ? " · " + now.handover.taken + " connections kept over the restart" : "";
  setText($("about"), "version " + now.version + " · running for " + duration(now.uptime_seconds) + kept);
}

/* What is out of order, since when, why, and what still works. */
function showOutage(now) {
  $("outage").hidden = now.ready;
  if (now.ready) return;
  const causes = now.upstreams.filter((upstream) => upstream.state !== "up" && (upstream.error || upstream.state !== "standby"));
  const since = "Since " + clockOf(now.ready_changed_ms, now) + ", for " + duration((now.now_ms - now.ready_changed_ms) / 1000) + ": ";
  const why = causes.map((upstream) => upstream.name.split("#", 1)[0] + " " + (upstream.error ?? upstream.state)).join("; ");
  setText($("outage-text"), since + now.reason + "." + (why ? " " + why + "." : ""));
  const moment = sampleBefore(MOMENT_MS);
  const works = [["from the cache", (s) => s.cache.hits], ["stale", (s) => s.cache.stale], ["SERVFAIL", (s) => s.responses.SERVFAIL]];
  setText($("outage-works"), "Replies per second now: " + works.map(([what, figure]) => what + " " + rate(perSecond(moment, now, figure))).join(", ") + ".");
}

function showTraffic(now) {
  const moment = sampleBefore(MOMENT_MS);
  const minute = sampleBefore(WINDOW_MS);
  if (moment === now) return;
  setText($("qps"), rate(perSecond(moment, now, (s) => s.queries)));
  setText($("qps-average"), rate(perSecond(minute, now, (s) => s.queries)) + "/s");
  setText($("qps-upstream"), rate(perSecond(minute, now, upstreamQueries)) + "/s");
  setText($("qps-servfail"), rate(perSecond(minute, now, (s) => s.responses.SERVFAIL)) + "/s");
}

const percentText = (part, whole) => (whole > 0 ? percent(part, whole) + " %" : "–");

function showCache(now) {
  const minute = sampleBefore(WINDOW_MS);
  let hits = now.cache.hits - minute.cache.hits;
  let misses = now.cache.misses - minute.cache.misses;
  if (hits + misses === 0) ({ hits, misses } = now.cache);
  setText($("hit-ratio"), percentText(hits, hits + misses));
  setText(
    $("cache-size"),
    count(now.cache.entries) + " answers, " + bytes(now.cache.bytes) + " of " + bytes(now.cache.bytes_max) +
      (now.cache.evictions > 0 ? ", " + count(now.cache.evictions) + " evicted" : ""),
  );
  $("cache-meter").style.width = Math.min(100, (100 * now.cache.bytes) / Math.max(1, now.cache.bytes_max)) + "%";
  $("purge").hidden = !now.may_purge;
}

function showLatency(now) {
  const minute = sampleBefore(WINDOW_MS);
  const rows = [["cached", "cache"], ...(now.shared_cache ? [["shared cache", "shared_cache"]] : []), ["upstream", "upstream"]];
  keyed($("latency"), rows, ([title]) => title, () => element("tr"), (row, [title, key]) =>
    tableRow(row, [[title], ...percentiles(minute.latency[key], now.latency[key], now.edges_ms).map((ms) => [milliseconds(ms, now.edges_ms)])]));
}

function showAnswers(now) {
  const minute = sampleBefore(WINDOW_MS);
  const counts = Object.fromEntries(CODES.map((code) => [code, 0]));
  for (const [code, n] of Object.entries(now.responses))
    counts[code in counts ? code : "other"] += minute === now ? n : n - minute.responses[code];
  const all = sum(counts);
  const seconds = (now.now_ms - minute.now_ms) / 1000;
  const shown = CODES.filter((code) => counts[code] > 0);
  keyed($("answers-bar"), shown, (code) => code, (code) => element("span", "code-" + code), (part, code) => {
    part.style.flexGrow = counts[code];
    part.title = code;
  });
  const make = (code) => {
    const row = element("tr");
    const cell = row.appendChild(element("td"));
    cell.append(element("span", "swatch code-" + code), code);
    return row;
  };
  keyed($("answers"), shown, (code) => code, make, (row, code) =>
    tableRow(row, [[code], [seconds > 0 ? rate(counts[code] / seconds) : "–"], [percentText(counts[code], all), "share"]]));
}

function certificate(days) {
  if (days === null) return ["–", ""];
  return [days < 0 ? "expired" : Math.floor(days) + " d", days < 3 ? "bad" : days < 14 ? "warn" : ""];
}

const STATES = { up: "good", standby: "", silent: "warn", down: "bad", "certificate refused": "bad" };

/* "3: connect_refused 2, hung 1" */
const reasons = (counts) => Object.entries(counts).map(([reason, n]) => reason.replaceAll("_", " ") + " " + count(n)).join(", ");

/* "for 5 min, last answer 6 min ago" */
function sinceText(upstream) {
  const since = upstream.state_seconds === null ? "" : "for " + duration(upstream.state_seconds);
  if (upstream.state === "up") return since;
  const answered = upstream.answered_seconds_ago;
  return since + (answered === null ? ", no answer yet" : ", last answer " + duration(answered) + " ago");
}

function makeUpstream(upstream) {
  const row = element("tr");
  const [address, name] = upstream.name.split("#", 2);
  const first = row.appendChild(element("td"));
  const more = first.appendChild(element("button", "more"));
  more.type = "button";
  more.setAttribute("aria-label", "Details of " + upstream.name);
  more.setAttribute("aria-expanded", "false");
  more.addEventListener("click", () => more.setAttribute("aria-expanded", String(row.classList.toggle("open"))));
  first.append(address, " ", element("span", "name", name), " ", element("span", "name error"));
  const state = row.appendChild(element("td"));
  state.append(element("span", "dot"), element("span"), element("small", "reasons"));
  for (let i = 2; i < 12; i++) row.appendChild(element("td"));
  row.children[4].append(element("div", "trend"));
  for (const i of [9, 10]) row.children[i].append(element("span"), element("small", "reasons"));
  return row;
}

function updateUpstream(row, now, minute, upstream) {
  const before = sameUpstream(minute, upstream);
  const seconds = (now.now_ms - minute.now_ms) / 1000;
  const [p50, p90] = percentiles(before.latency, upstream.latency, now.edges_ms).map((ms) => milliseconds(ms, now.edges_ms));
  const [days, daysKind] = certificate(upstream.certificate_days_left);
  const cell = (i, head, text, className = "") => {
    row.children[i].dataset.head = head;
    setClass(row.children[i], className);
    if (text !== undefined) setText(row.children[i], text);
  };
  const counted = (i, head, n, why, className) => {
    cell(i, head, undefined, className);
    setText(row.children[i].firstChild, count(n));
    setText(row.children[i].lastChild, reasons(why));
  };
  setText(row.querySelector(".error"), upstream.error ?? "");
  cell(1, "state");
  setClass(row.children[1].firstChild, ("dot " + (STATES[upstream.state] ?? "")).trim());
  setText(row.children[1].children[1], upstream.state);
  setText(row.children[1].lastChild, sinceText(upstream));
  cell(2, "p50", p50);
  cell(3, "p90", p90);
  cell(4, "trend");
  cell(5, "queries/s", seconds > 0 ? rate((upstream.queries - before.queries) / seconds) : "–");
  cell(6, "sessions", count(upstream.sessions));
  cell(7, "in flight", count(upstream.in_flight));
  cell(8, "handshakes", count(upstream.handshakes_full) + " + " + count(upstream.handshakes_resumed));
  counted(9, "failures", upstream.failures, upstream.failure_reasons, upstream.failures > before.failures ? "warn" : "");
  counted(10, "retries", upstream.retries, upstream.retry_reasons);
  cell(11, "certificate", days, daysKind);
  const past = history?.upstreams.find((other) => other.name === upstream.name)?.p90_ms;
  if (past) draw(row.querySelector(".trend"), [path("", line(past, roundUp(Math.max(1, largest(past)))))]);
}

function showUpstreams(now) {
  const minute = sampleBefore(WINDOW_MS);
  keyed($("upstreams"), now.upstreams, (upstream) => upstream.name, makeUpstream, (row, upstream) => updateUpstream(row, now, minute, upstream));
}

function showList(id, entries) {
  const items = entries.length > 0 ? entries : [["none yet", "", ""]];
  keyed($(id), items, ([what, kind]) => what + "\n" + kind, () => element("tr"), (row, [what, kind, value]) => {
    tableRow(row, [[what, entries.length > 0 ? "what" : "none"], [kind, "kind"], [value]]);
    row.firstChild.title = what;
  });
}

function showReload(now) {
  const text = now.reload_good ? now.reload_changes : now.reload_refusal;
  const ago = duration(now.reloaded_seconds_ago) + " ago";
  const none = now.reloaded_seconds_ago >= now.uptime_seconds - 1;
  setText($("reload-result"), !now.reload_good ? "The last reload was refused; what was read " + ago + " stays in force:"
    : none ? "Read at the start, " + ago + "." : text ? "The last reload, " + ago + ", changed:"
    : "The last reload, " + ago + ", changed nothing.");
  setText($("reload-text"), text ?? "");
  $("reload-text").hidden = !text;
}

function showNames(now) {
  for (const section of document.querySelectorAll("[data-names]")) section.hidden = !now.names_shown;
  $("names-hidden").hidden = now.names_shown;
  if (!now.names_shown) return;
  showReload(now);
  showList("names", now.names.slice(0, LIST_MAX).map((n) => [withoutDot(n.name), n.type, count(n.asks)]));
  showList("busiest-ports", now.busiest_ports.map((c) => [c.client, String(c.port), rate(c.per_second)]));
  showAddresses(now.busiest_addresses, now.limited_addresses);
}

/* Those that ask most; then those that are refused most and are not among them. */
function showAddresses(busiest, limited) {
  const shown = busiest.concat(limited.filter((one) => !busiest.some((other) => other.client === one.client)));
  $("flood").hidden = limited.length === 0;
  const items = shown.length > 0 ? shown : [null];
  keyed($("busiest-addresses"), items, (client) => client?.client ?? "", () => element("tr"), (row, client) => {
    const refused = client && client.refused_per_second > 0 ? rate(client.refused_per_second) : "";
    tableRow(row, client ? [[client.client, "what"], [refused, refused && "bad"], [rate(client.per_second)]] : [["none yet", "none"], [""], [""]]);
  });
}

function sandboxState(sandbox) {
  const parts = [];
  if (sandbox.landlock_abi > 0) parts.push("files and ports (Landlock " + sandbox.landlock_abi + ")");
  if (sandbox.seccomp) parts.push("system calls");
  if (sandbox.mode === "log") return "logs only";
  return parts.length ? parts.join(", ") : "off";
}

function sandboxMissing(sandbox) {
  if (sandbox.mode === "log") return count(sandbox.logged_calls) + " calls would be refused";
  const missing = [];
  if (sandbox.landlock_why_not) missing.push("Landlock: " + sandbox.landlock_why_not);
  if (sandbox.seccomp_why_not) missing.push("seccomp: " + sandbox.seccomp_why_not);
  return missing.join("; ");
}

// The snapshot from which a restart begins: of this run, of an earlier one, or none yet.
function stateRow(now) {
  const { saves, saves_failed: failed, loaded, snapshot_seconds_ago: ago, snapshot_bytes: size } = now.state;
  const isThere = saves > 0 || loaded > 0;
  const value = isThere ? "saved " + duration(Math.max(0, ago)) + " ago" : "not saved yet";
  const parts = [size > 0 ? bytes(size) : "", loaded > 0 ? count(loaded) + " answers loaded" : "",
    failed > 0 ? count(failed) + " saves failed" : ""].filter((part) => part);
  return ["Kept over a restart", value, parts.join(", ")];
}

// The cache of the fleet: whether it is used, and what it was good for in the last minute.
function sharedRow(now, minute) {
  const { state, store, error, results } = now.shared_cache;
  const before = minute.shared_cache?.results ?? {};
  const hits = results.hit - (before.hit ?? 0);
  const asked = sum(results) - sum(before);
  const forged = results.forged > 0 ? count(results.forged) + " forged" : "";
  const share = asked > 0 ? ((100 * hits) / asked).toFixed(0) + " % of " + count(asked) + " in the last minute" : "";
  return ["Shared cache", state, [error ?? share, forged, "at " + store].filter((part) => part).join(", ")];
}

function showTerms(now) {
  const minute = sampleBefore(WINDOW_MS);
  const recent = (figure) => {
    const n = perSecond(minute, now, figure);
    return n >= 0.05 ? rate(n) + "/s" : ""; // less is shown as 0.0
  };
  const total = (term, figure) => [term, count(figure(now)), recent(figure)];
  terms($("clients"), [
    ["Connections", count(now.connections), "of " + count(now.connections_max)],
    total("Connections accepted", (s) => s.accepted),
    total("Queries over UDP", (s) => s.udp.queries),
    total("Responses cut, with TC", (s) => s.udp.truncated),
    ["Questions in flight", count(now.in_flight)],
    total("Joined a question in flight", (s) => s.merged),
    total("Stale answers", (s) => s.cache.stale),
    total("Refreshed before they expired", (s) => s.cache.prefetch.refreshed),
  ]);
  terms($("protection"), [
    total("Queries over the rate limit", (s) => s.rate_limited),
    total("Clients not allowed", (s) => s.access_denied),
    total("Connections rejected", (s) => sum(s.rejected)),
    total("Malformed queries", (s) => sum(s.invalid)),
    total("Queries without a reply", (s) => sum(s.dropped)),
    total("Datagrams dropped", (s) => sum(s.udp.dropped) + s.udp.kernel_drops),
    total("Refused in overload", (s) => s.overloaded),
  ]);
  const cpu = 100 * perSecond(sampleBefore(MOMENT_MS), now, (s) => s.cpu_seconds);
  terms($("program"), [
    ["Processor", cpu.toFixed(1) + " %", "processor time " + duration(now.cpu_seconds)],
    ["Memory", bytes(now.resident_bytes)],
    ["Descriptors", count(now.open_fds), "of " + count(now.max_fds)],
    ["Workers active", count(now.workers_active), "of " + count(now.workers)],
    ["Sandbox", sandboxState(now.sandbox), sandboxMissing(now.sandbox)],
    ["Configuration", now.reload_good ? "in use" : "last reload refused", "read " + duration(now.reloaded_seconds_ago) + " ago"],
    ...(now.state ? [stateRow(now)] : []),
    ...(now.shared_cache ? [sharedRow(now, minute)] : []),
  ]);
}

// ---- what a reader does

async function showConfig() {
  if (!$("config").open) return;
  const answer = await fetch("config.yaml").catch(() => null);
  setText($("config-text"), answer?.ok ? await answer.text() : "not available");
}

/* The first click asks, the second one does it. */
let purgeAsked = null;

async function purge() {
  const name = $("purge-name").value.trim();
  if (purgeAsked !== name) {
    purgeAsked = name;
    setText($("purge-button"), "Confirm");
    setText($("purge-result"), name ? "Remove the answers for " + name + "?" : "Remove all answers?");
    return;
  }
  const query = name ? "?name=" + encodeURIComponent(name) : "";
  const answer = await fetch("cache/purge" + query, { method: "POST" }).catch(() => null);
  const result = await answer?.json().catch(() => null);
  resetPurge();
  setText($("purge-result"), answer?.ok ? count(result.removed) + " answers removed" : (result?.error ?? "no answer"));
}

function resetPurge() {
  purgeAsked = null;
  setText($("purge-button"), "Remove");
  setText($("purge-result"), "");
}

// ---- once a second

function remember(now) {
  const last = samples[samples.length - 1];
  if (last && (now.now_ms <= last.now_ms || now.queries < last.queries)) {
    samples.length = 0; // another program answers: it was started anew
    history = null;
  }
  samples.push(now);
  while (samples.length > 2 && now.now_ms - samples[1].now_ms > WINDOW_MS) samples.shift();
}

function show(now) {
  $("main").hidden = false;
  showHead(now);
  showOutage(now);
  showTraffic(now);
  showCache(now);
  showLatency(now);
  showAnswers(now);
  showUpstreams(now);
  showNames(now);
  showTerms(now);
  drawCharts(now);
}

/* The newest sample, or null where the program does not answer. */
async function ask() {
  try {
    const answer = await fetch("status.json", { signal: AbortSignal.timeout(3000) });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

async function turn() {
  const now = await ask();
  $("main").classList.toggle("stale", now === null);
  if (now === null) {
    showState("no answer from the program", "bad");
    return;
  }
  remember(now);
  await updateHistory(now).catch(() => {}); // asked for again in a second
  show(now);
  await updateQueries().catch(() => {}); // the same
}

/* One request at a time, and none while nobody looks. */
async function run() {
  for (;;) {
    if (!document.hidden) await turn().catch((error) => console.error(error));
    await new Promise((done) => setTimeout(done, EVERY_MS));
  }
}

readable($("chart"), (share) => {
  cursor = share;
  if (history) drawMain(samples[samples.length - 1]);
});
$("ranges").addEventListener("change", async (event) => {
  range = event.target.value;
  await fetchHistory().catch(() => {});
  if (history && samples.length > 0) drawCharts(samples[samples.length - 1]);
});
$("config").addEventListener("toggle", showConfig);
$("purge-button").addEventListener("click", purge);
$("purge-name").addEventListener("input", resetPurge);

run();
