// The status page: asks /status.json every second and draws what it says.
//
// The server gives counters as they stand; rates, ratios and percentiles are made here of two samples. Whatever comes from the network
// (names, addresses) is put in by textContent, never as markup; the content security policy would refuse anything else.

import { bytes, count, duration, milliseconds, percent, percentiles, perSecond, rate, sum } from "./figures.js";

const EVERY_MS = 1000;
const CHART_MS = 5 * 60 * 1000; // what the charts show; less while the page is young, but a minute
const WINDOW_MS = 60 * 1000; // what "last minute" means
const MOMENT_MS = 5 * 1000; // what the large figure is an average of
const LIST_MAX = 10; // of the busiest there are as many

const CODES = ["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "other"];

const samples = []; // of the last minute and a little, oldest first
const points = []; // of the charts: {at, all, upstream, hits, p90}

const $ = (id) => document.getElementById(id);

// ---- samples

/* The newest sample at least `ms` older than the last, else the oldest there is. */
function sampleBefore(ms) {
  const last = samples[samples.length - 1];
  for (let i = samples.length - 2; i > 0; i--) if (last.now_ms - samples[i].now_ms >= ms) return samples[i];
  return samples[0];
}

const upstreamQueries = (sample) => sample.upstreams.reduce((a, upstream) => a + upstream.queries, 0);

// ---- drawing

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function path(className, d) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", "path");
  if (className) node.setAttribute("class", className);
  node.setAttribute("d", d);
  return node;
}

/* Where a moment is across a chart of 1000 by 100. */
function across(at) {
  const now = points[points.length - 1].at;
  return (1000 * (1 - (now - at) / chartMs())).toFixed(1);
}

function chartMs() {
  const age = points[points.length - 1].at - points[0].at;
  return Math.min(CHART_MS, Math.max(WINDOW_MS, age));
}

/* A value that is not there breaks the line. */
function line(values, top) {
  let d = "";
  let pen = "M";
  for (const [at, value] of values) {
    if (value === null) {
      pen = "M";
      continue;
    }
    d += pen + across(at) + " " + (100 * (1 - value / top)).toFixed(2);
    pen = "L";
  }
  return d;
}

function area(values, top) {
  if (values.some(([, value]) => value === null)) return "";
  return line(values, top) + "V100H" + across(values[0][0]) + "Z";
}

function draw(container, paths) {
  let svg = container.firstChild;
  if (!svg) {
    svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 1000 100");
    svg.setAttribute("preserveAspectRatio", "none");
    container.append(svg);
  }
  svg.replaceChildren(...paths);
}

/* A round number above the largest value, so that the chart does not breathe with every sample. */
function roundUp(value) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 1.5, 2, 3, 4, 5, 7.5, 10].map((n) => n * unit).find((n) => n >= value);
}

let cursor = null; // 0..1 across the large chart

function drawCharts() {
  const series = (name) => points.map((point) => [point.at, point[name]]);
  const top = roundUp(Math.max(10, ...points.map((point) => point.all)) * 1.05);
  const paths = [path("grid", "M0 100H1000M0 50H1000M0 0H1000"), path("area", area(series("all"), top))];
  paths.push(path("", line(series("all"), top)), path("second", line(series("upstream"), top)));
  let note = "top " + count(top);
  if (cursor !== null) {
    const at = points[points.length - 1].at - chartMs() * (1 - cursor);
    const nearest = points.reduce((a, b) => (Math.abs(b.at - at) < Math.abs(a.at - at) ? b : a));
    paths.push(path("cursor", "M" + across(nearest.at) + " 0V100"));
    note = nearest.clock + " · " + rate(nearest.all) + "/s, upstream " + rate(nearest.upstream) + "/s";
  }
  draw($("chart"), paths);
  $("chart-note").textContent = note;
  $("chart-from").textContent = Math.round(chartMs() / 60000) + " min ago";
  draw($("hit-chart"), [path("area", area(series("hits"), 1)), path("", line(series("hits"), 1))]);
  const slowest = Math.max(1, ...points.map((point) => point.p90 ?? 0)) * 1.1;
  draw($("latency-chart"), [path("area", area(series("p90"), slowest)), path("", line(series("p90"), slowest))]);
}

// ---- the cards

function showState(text, kind) {
  $("state-text").textContent = text;
  $("state").className = "state " + kind;
  document.title = (kind === "good" ? "" : "● ") + "dns-tls-proxy";
}

function showHead(now) {
  if (!now.live) showState("a thread is silent", "bad");
  else if (!now.ready) showState("not ready: " + now.reason, "warn");
  else showState("ready", "good");
  $("about").textContent = "version " + now.version + " · up " + duration(now.uptime_seconds);
}

function showTraffic(now) {
  const moment = sampleBefore(MOMENT_MS);
  const minute = sampleBefore(WINDOW_MS);
  if (moment === now) return;
  $("qps").textContent = rate(perSecond(moment, now, (s) => s.queries));
  $("qps-average").textContent = rate(perSecond(minute, now, (s) => s.queries));
  $("qps-upstream").textContent = rate(perSecond(minute, now, upstreamQueries));
}

function showCache(now) {
  const minute = sampleBefore(WINDOW_MS);
  let hits = now.cache.hits - minute.cache.hits;
  let misses = now.cache.misses - minute.cache.misses;
  if (hits + misses === 0) ({ hits, misses } = now.cache);
  $("hit-ratio").textContent = percent(hits, hits + misses);
  $("cache-size").textContent =
    count(now.cache.entries) + " answers, " + bytes(now.cache.bytes) + " of " + bytes(now.cache.bytes_max) +
    (now.cache.evictions > 0 ? ", " + count(now.cache.evictions) + " evicted" : "");
  $("cache-meter").style.width = Math.min(100, (100 * now.cache.bytes) / Math.max(1, now.cache.bytes_max)) + "%";
}

function showLatency(now) {
  const minute = sampleBefore(WINDOW_MS);
  const rows = [["cached", "cache"], ["upstream", "upstream"]].map(([title, key]) => {
    const row = element("tr");
    row.append(element("td", "", title));
    for (const ms of percentiles(minute.latency[key], now.latency[key], now.edges_ms))
      row.append(element("td", "", milliseconds(ms, now.edges_ms)));
    return row;
  });
  $("latency").replaceChildren(...rows);
}

function showAnswers(now) {
  const minute = sampleBefore(WINDOW_MS);
  const counts = Object.fromEntries(CODES.map((code) => [code, 0]));
  for (const [code, n] of Object.entries(now.responses))
    counts[code in counts ? code : "other"] += minute === now ? n : n - minute.responses[code];
  const all = sum(counts);
  const seconds = (now.now_ms - minute.now_ms) / 1000;
  const shown = CODES.filter((code) => counts[code] > 0);
  $("answers-bar").replaceChildren(
    ...shown.map((code) => {
      const part = element("span", "code-" + code);
      part.style.flexGrow = counts[code];
      part.title = code;
      return part;
    }),
  );
  $("answers").replaceChildren(
    ...shown.map((code) => {
      const item = element("li");
      item.append(element("span", "swatch code-" + code), code);
      if (seconds > 0) item.append(element("span", "value", rate(counts[code] / seconds) + "/s"));
      item.append(element("span", seconds > 0 ? "share" : "share value", percent(counts[code], all) + " %"));
      return item;
    }),
  );
}

function certificate(days) {
  if (days === null) return ["–", ""];
  return [Math.floor(days) + " d", days < 3 ? "bad" : days < 14 ? "warn" : ""];
}

/* No session is a fault only where one was tried for in vain: those of lower preference wait for their turn. */
function upstreamState(now, before, upstream) {
  if (upstream.up) return ["good", "up"];
  const failing = upstream.failures > before.failures || now.upstreams.every((other) => !other.up);
  return failing ? ["bad", "down"] : ["", "standby"];
}

function upstreamRow(now, minute, upstream) {
  const before = minute.upstreams.find((other) => other.name === upstream.name) ?? upstream;
  const seconds = (now.now_ms - minute.now_ms) / 1000;
  const [p50, p90] = percentiles(before.latency, upstream.latency, now.edges_ms).map((ms) => milliseconds(ms, now.edges_ms));
  const [days, daysKind] = certificate(upstream.certificate_days_left);
  const cells = [
    ["", ""],
    ["state", ""],
    ["RTT p50", p50],
    ["p90", p90],
    ["queries/s", seconds > 0 ? rate((upstream.queries - before.queries) / seconds) : "–"],
    ["sessions", count(upstream.sessions)],
    ["in flight", count(upstream.in_flight)],
    ["handshakes", count(upstream.handshakes_full) + " + " + count(upstream.handshakes_resumed)],
    ["failures", count(upstream.failures), upstream.failures > before.failures ? "warn" : ""],
    ["certificate", days, daysKind],
  ].map(([head, text, kind]) => {
    const cell = element("td", kind, text);
    cell.dataset.head = head;
    return cell;
  });
  const [address, name] = upstream.name.split("#", 2);
  cells[0].append(address, " ", element("span", "name", name));
  if (upstream.error) cells[0].append(" ", element("span", "name", upstream.error));
  const [stateKind, state] = upstreamState(now, before, upstream);
  cells[1].append(element("span", "dot " + stateKind), state);
  const row = element("tr");
  row.append(...cells);
  return row;
}

function showUpstreams(now) {
  const minute = sampleBefore(WINDOW_MS);
  $("upstreams").replaceChildren(...now.upstreams.map((upstream) => upstreamRow(now, minute, upstream)));
}

function listItem(what, kind, value, share) {
  const item = element("li");
  const bar = element("span", "bar");
  bar.style.width = 100 * share + "%";
  const text = element("span", "what", what);
  text.title = what;
  item.append(bar, text, element("span", "kind", kind), element("span", "value", value));
  return item;
}

function showList(id, entries, most) {
  const items = entries.map(([what, kind, value, n]) => listItem(what, kind, value, most > 0 ? n / most : 0));
  $(id).replaceChildren(...(items.length > 0 ? items : [element("li", "none", "none yet")]));
}

/* As people write names; the root is but a dot, and an escaped one is no end. */
const withoutDot = (name) => (/[^\\]\.$/.test(name) ? name.slice(0, -1) : name);

function showNames(now) {
  for (const section of document.querySelectorAll("[data-names]")) section.hidden = !now.names_shown;
  $("names-hidden").hidden = now.names_shown;
  if (!now.names_shown) return;
  showList("names", now.names.slice(0, LIST_MAX).map((n) => [withoutDot(n.name), n.type, count(n.asks), n.asks]), now.names[0]?.asks);
  const clients = (list, kind) => list.map((c) => [c.client, kind(c), rate(c.per_second) + "/s", c.per_second]);
  showList("busiest-ports", clients(now.busiest_ports, (c) => "port " + c.port), now.busiest_ports[0]?.per_second);
  showList("busiest-addresses", clients(now.busiest_addresses, () => ""), now.busiest_addresses[0]?.per_second);
}

/* Pairs of a term and a figure, and what stands small behind it. */
function showTerms(id, terms) {
  const nodes = terms.flatMap(([term, figure, small]) => {
    const value = element("dd", "", figure);
    if (small) value.append(element("small", "", small));
    return [element("dt", "", term), value];
  });
  $(id).replaceChildren(...nodes);
}

function showTerminals(now) {
  const minute = sampleBefore(WINDOW_MS);
  const recent = (figure) => {
    const n = perSecond(minute, now, figure);
    return n > 0 ? rate(n) + "/s" : "";
  };
  const total = (term, figure) => [term, count(figure(now)), recent(figure)];
  showTerms("clients", [
    ["Connections", count(now.connections), "of " + count(now.connections_max)],
    total("Accepted", (s) => s.accepted),
    ["In flight", count(now.in_flight)],
    total("Merged with one in flight", (s) => s.merged),
    total("Stale answers", (s) => s.cache.stale),
    total("Pre-resolved", (s) => s.cache.prefetch.refreshed),
  ]);
  showTerms("protection", [
    total("Over the rate limit", (s) => s.rate_limited),
    total("Not allowed", (s) => s.access_denied),
    total("Connections refused", (s) => sum(s.rejected)),
    total("Malformed", (s) => sum(s.invalid)),
    total("No reply", (s) => sum(s.dropped)),
    total("Overload", (s) => s.overloaded),
  ]);
  const cpu = 100 * perSecond(sampleBefore(MOMENT_MS), now, (s) => s.cpu_seconds);
  showTerms("program", [
    ["Processor", cpu.toFixed(1) + " %", duration(now.cpu_seconds) + " in all"],
    ["Memory", bytes(now.resident_bytes)],
    ["Descriptors", count(now.open_fds), "of " + count(now.max_fds)],
    ["Workers", count(now.workers)],
  ]);
}

// ---- once a second

function remember(now) {
  const last = samples[samples.length - 1];
  if (last && (now.now_ms <= last.now_ms || now.queries < last.queries)) {
    samples.length = 0; // another program answers: it was started anew
    points.length = 0;
  }
  samples.push(now);
  while (samples.length > 2 && now.now_ms - samples[1].now_ms > WINDOW_MS) samples.shift();
  if (samples.length < 2) return;
  const before = samples[samples.length - 2];
  const asked = now.cache.hits + now.cache.misses - before.cache.hits - before.cache.misses;
  points.push({
    at: now.now_ms,
    clock: new Date().toLocaleTimeString(),
    all: perSecond(before, now, (s) => s.queries),
    upstream: perSecond(before, now, upstreamQueries),
    hits: asked > 0 ? (now.cache.hits - before.cache.hits) / asked : null,
    p90: percentiles(sampleBefore(MOMENT_MS).latency.upstream, now.latency.upstream, now.edges_ms)[1],
  });
  while (now.now_ms - points[0].at > CHART_MS) points.shift();
}

function show(now) {
  showHead(now);
  showTraffic(now);
  showCache(now);
  showLatency(now);
  showAnswers(now);
  showUpstreams(now);
  showNames(now);
  showTerminals(now);
  if (points.length > 0) drawCharts();
}

async function turn() {
  try {
    const answer = await fetch("status.json", { signal: AbortSignal.timeout(3000) });
    if (!answer.ok) throw new Error(answer.statusText);
    const now = await answer.json();
    remember(now);
    show(now);
    $("main").classList.remove("stale");
  } catch {
    showState("out of reach", "bad");
    $("main").classList.add("stale");
  }
}

/* One request at a time, and none while nobody looks. */
async function run() {
  for (;;) {
    if (!document.hidden) await turn();
    await new Promise((done) => setTimeout(done, EVERY_MS));
  }
}

$("chart").addEventListener("pointermove", (event) => {
  const box = $("chart").getBoundingClientRect();
  cursor = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  if (points.length > 0) drawCharts();
});
$("chart").addEventListener("pointerleave", () => {
  cursor = null;
  if (points.length > 0) drawCharts();
});

run();
