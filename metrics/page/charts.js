// Charts: lines over time, drawn into SVG; the marks of events; and a cursor for pointer, touch and keyboard.
//
// A series is {step, end, values}: values[i] belongs to the time end - (n - 1 - i) * step; null breaks the line.

const SVG = "http://www.w3.org/2000/svg";

function node(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

export const path = (className, d) => node("path", className ? { class: className, d } : { d });

/* Where point i of n is across a chart of 1000 by 100. */
const across = (i, n) => ((1000 * i) / Math.max(1, n - 1)).toFixed(1);
const down = (value, top) => (100 * (1 - Math.min(value, top) / top)).toFixed(2);

export function line(values, top) {
  let d = "";
  let pen = "M";
  values.forEach((value, i) => {
    if (value !== null) d += pen + across(i, values.length) + " " + down(value, top);
    pen = value === null ? "M" : "L";
  });
  return d;
}

/* Down to the axis below each unbroken part of the line. */
export function area(values, top) {
  let d = "";
  let from = null;
  values.concat([null]).forEach((value, i) => {
    if (value !== null) {
      d += (from === null ? "M" + across(i, values.length) + " 100L" : "L") + across(i, values.length) + " " + down(value, top);
      from ??= i;
    } else if (from !== null) {
      d += "V100Z";
      from = null;
    }
  });
  return d;
}

export function draw(container, nodes) {
  let svg = container.querySelector("svg");
  if (!svg) {
    svg = node("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" });
    container.prepend(svg);
  }
  svg.replaceChildren(...nodes);
}

export function mark(at, series, title) {
  const i = series.values.length - 1 - (series.end - at) / series.step;
  if (i < 0 || i > series.values.length - 1) return null;
  const made = path("mark", "M" + across(i, series.values.length) + " 0V100");
  made.append(node("title", {}, title));
  return made;
}

/* A round number above the largest value, so that the scale does not change with every sample. */
export function roundUp(value) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 1.5, 2, 3, 4, 5, 7.5, 10].map((n) => n * unit).find((n) => n >= value);
}

export const largest = (values) => values.reduce((most, value) => (value !== null && value > most ? value : most), 0);

/* Lets `container` be read point by point. `move(share)`: 0 to 1 across, or null when it is left. */
export function readable(container, move) {
  let share = null;
  const set = (value) => {
    share = value === null ? null : Math.min(1, Math.max(0, value));
    move(share);
  };
  const point = (event) => {
    const box = container.getBoundingClientRect();
    set((event.clientX - box.left) / box.width);
  };
  container.addEventListener("pointerdown", point);
  container.addEventListener("pointermove", point);
  container.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && set(null));
  container.addEventListener("blur", () => set(null));
  container.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -0.01, ArrowRight: 0.01, PageUp: -0.1, PageDown: 0.1, Home: -2, End: 2 };
    if (event.key === "Escape") return set(null);
    if (!(event.key in steps)) return;
    event.preventDefault();
    set((share ?? 1) + steps[event.key]);
  });
}
