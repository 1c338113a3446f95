// Figures: as text, and of two samples of counters. Pure.

const numbers = new Intl.NumberFormat("en");

// ---- as text

export const count = (n) => (n < 1e6 ? numbers.format(Math.round(n)) : (n / 1e6).toPrecision(3) + " M");
export const rate = (n) => (n > 0 && n < 9.95 ? n.toFixed(1) : count(n));
export const percent = (part, whole) => (whole > 0 ? ((100 * part) / whole).toFixed(1) : "–");

export function milliseconds(ms, edges) {
  if (ms === null) return "–";
  if (ms <= edges[0]) return "<" + edges[0];
  if (ms >= edges[edges.length - 1]) return "≥" + count(edges[edges.length - 1]);
  return ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : count(ms);
}

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; n >= 1024 && unit < units.length - 1; unit++) n /= 1024;
  return (unit > 0 && n < 100 ? n.toPrecision(3) : Math.round(n)) + " " + units[unit];
}

export function duration(s) {
  const days = Math.floor(s / 86400);
  const hours = Math.floor((s % 86400) / 3600);
  const minutes = Math.floor((s % 3600) / 60);
  if (days) return days + " d " + hours + " h";
  if (hours) return hours + " h " + minutes + " min";
  return minutes ? minutes + " min" : Math.floor(s) + " s";
}

/* As people write names; the root is but a dot, and an escaped one is no end. */
export const withoutDot = (name) => (/[^\\]\.$/.test(name) ? name.slice(0, -1) : name);

// ---- of two samples

export const sum = (object) => Object.values(object).reduce((a, b) => a + b, 0);

export function perSecond(older, newer, figure) {
  const ms = newer.now_ms - older.now_ms;
  return ms > 0 ? (Math.max(0, figure(newer) - figure(older)) * 1000) / ms : 0;
}

/* As the server's: those of a bucket are supposed to lie evenly between its edges. */
function percentile(buckets, edges, share) {
  const all = buckets.reduce((a, b) => a + b, 0);
  if (all === 0) return null;
  let below = 0;
  for (let i = 0; i < edges.length; i++) {
    const from = i > 0 ? edges[i - 1] : 0;
    if (buckets[i] > 0 && below + buckets[i] >= all * share) return from + ((edges[i] - from) * (all * share - below)) / buckets[i];
    below += buckets[i];
  }
  return edges[edges.length - 1];
}

/* Percentiles of what a histogram counted between two samples; of all it counted where there is only one. */
export function percentiles(older, newer, edges) {
  if (!older || older === newer) return [newer.p50_ms, newer.p90_ms, newer.p99_ms];
  const buckets = newer.buckets.map((n, i) => Math.max(0, n - older.buckets[i]));
  return [0.5, 0.9, 0.99].map((share) => percentile(buckets, edges, share));
}
