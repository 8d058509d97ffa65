// Small explorers: bars that can be dragged, and what becomes of the gradient.
// `explore` makes one of the kinds below in a box; on the site it takes the place of the
// still picture that the box's figure holds. Nothing moves by itself.

import { chainRuleTerms, columnSums, compute, diagonal, gradient, jacobian, largest, LIMITS, logitFor, short, softmax, sum, withTarget } from "./numbers.mjs";

const NAMESPACE = "http://www.w3.org/2000/svg";
const PANEL_HEIGHT = 190;
// A finger needs this much, in CSS pixels.
const GRIP = 44;
export const EXAMPLE = { z: [0, Math.log(2), Math.log(3)], t: [1, 0, 0], v: [Math.log(2), 0, 0], T: 2, raised: 1 };
const REACH = { logit: [-1, 3], share: [0, 1] };

const clamp = (value, [low, high]) => Math.min(high, Math.max(low, value));
const rounded = (value, step) => Number((Math.round(value / step) * step).toFixed(10));

function element(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "line", "path", "text", "title"].includes(name);
  const made = svg ? document.createElementNS(NAMESPACE, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// ---- Bars ---------------------------------------------------------------------

// A chart with one group of bars for each class. Each series has a `look` (solid,
// dashed, plain or wrong) and, if its bars can be moved, `move(i, value)`; one that keys move
// too has a `name(i)`, a `step` and a `reach`. The elements that hold a pointer or the
// focus stay; the rest is drawn anew for each state.
export class BarChart {
  constructor(parent, { title, low, high, series, classes }) {
    Object.assign(this, { low, high, series });
    this.svg = element("svg", { class: "sg-bars", height: PANEL_HEIGHT });
    this.drawn = element("g", { "aria-hidden": "true" });
    this.svg.append(this.drawn);
    this.grips = series.map((each, k) =>
      each.move ? Array.from({ length: classes }, (_, i) => this.makeGrip(each, k, i)) : []);
    const heading = element("p", { class: "sg-title" });
    heading.innerHTML = title;
    parent.append(element("div", { class: "sg-panel" }, heading, this.svg));
  }

  makeGrip(series, k, i) {
    const keys = series.name && {
      role: "slider", tabindex: 0, "aria-label": series.name(i), "aria-orientation": "vertical",
      "aria-valuemin": series.reach[0], "aria-valuemax": series.reach[1],
    };
    const column = element("rect", { class: "sg-column" });
    const touch = element("rect", { class: "sg-touch" });
    const cap = element("rect", { class: "sg-cap" });
    const grip = element("g", { class: "sg-grip", ...(keys || { "aria-hidden": "true" }) }, column, touch, cap);
    grip.dataset.bar = `${k}-${i}`;
    this.svg.append(grip);
    let offset = null;
    const at = (event) => event.clientY - this.svg.getBoundingClientRect().top;
    grip.addEventListener("pointerdown", (event) => {
      // A finger on the column scrolls the page; on the end of the bar it drags.
      const held = event.target !== column;
      if (event.button || (!held && event.pointerType === "touch")) return;
      event.preventDefault();
      grip.setPointerCapture(event.pointerId);
      if (keys) grip.focus({ preventScroll: true });
      offset = held ? this.y(this.values[k][i]) - at(event) : 0;
      if (!held) series.move(i, this.valueAt(at(event)));
    });
    // In Chromium, `touch-action` of a part of an SVG did not keep the page still.
    touch.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    grip.addEventListener("pointermove", (event) => {
      if (offset !== null) series.move(i, this.valueAt(at(event) + offset));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      grip.addEventListener(end, () => { offset = null; });
    }
    grip.addEventListener("keydown", (event) => {
      const steps = {
        ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 5, PageDown: -5,
        Home: -Infinity, End: Infinity,
      }[event.key];
      if (!steps || !keys || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      const to = clamp(this.values[k][i] + steps * series.step, series.reach);
      series.move(i, Math.abs(steps) > 5 ? to : rounded(to, series.step));
    });
    return grip;
  }

  y(value) {
    return 22 + ((this.high - value) / (this.high - this.low)) * (PANEL_HEIGHT - 56);
  }

  valueAt(y) {
    return this.high - ((y - 22) / (PANEL_HEIGHT - 56)) * (this.high - this.low);
  }

  // `arrows` has for each class where an arrow begins and how far it goes, in the
  // units of the bars; `printed` gives the number at a bar, `labels` what is below.
  draw(values, { arrows = [], said = short, printed = short, labels, lowest, highest } = {}) {
    if (highest !== undefined) Object.assign(this, { low: lowest, high: highest });
    this.values = values;
    const width = this.svg.clientWidth || 200;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${PANEL_HEIGHT}`);
    const classes = values[0].length;
    const slot = width / classes;
    const room = slot - (arrows.length ? 16 : 6);
    const bar = Math.min(44, room / values.length);
    const start = (slot - (arrows.length ? 16 : 0) - bar * values.length) / 2;
    const parts = [];
    // Below 18 pixels a number would cover those beside it.
    const number = (value, x, y) => (bar < 18 ? "" :
      `<text class="sg-number" style="font-size:${bar < 29 ? 11 : 13}px" x="${x}" y="${y}" text-anchor="middle">${value}</text>`);
    values.forEach((series, k) => series.forEach((value, i) => {
      const x = i * slot + start + k * bar;
      const [zero, end] = [this.y(0), this.y(clamp(value, [this.low, this.high]))];
      const below = value < 0;
      parts.push(`<rect class="sg-bar-${this.series[k].look}" x="${x + 1}" width="${bar - 2}" y="${Math.min(zero, end)}" height="${Math.abs(zero - end)}"/>
${number(printed(value, i, k), x + bar / 2, below ? end + 16 : end - 7)}`);
      const grip = this.grips[k][i];
      if (!grip) return;
      const size = (rect, left, top, wide, high) => {
        Object.entries({ x: left, y: top, width: wide, height: high })
          .forEach(([name, pixels]) => rect.setAttribute(name, pixels));
      };
      const [column, touch, cap] = grip.children;
      size(column, x, 0, bar, PANEL_HEIGHT - 20);
      // Alone in its place, an end of a bar can be gripped from beside it, too.
      const wide = Math.min(values.length === 1 ? GRIP : bar, slot);
      size(touch, x + (bar - wide) / 2, end - GRIP / 2, wide, GRIP);
      size(cap, x, end - 2.5, bar, 5);
      if (this.series[k].name) {
        grip.setAttribute("aria-valuenow", value);
        grip.setAttribute("aria-valuetext", said(value, i, k));
      }
    }));
    arrows.forEach(([tail, length], i) => {
      if (Math.abs(length) < 0.004 * (this.high - this.low)) return;
      const x = i * slot + slot - start - 8;
      const [from, to] = [this.y(tail), this.y(clamp(tail + length, [this.low, this.high]))];
      const back = to < from ? 8 : -8;
      parts.push(`<path class="sg-arrow" d="M${x} ${from}L${x} ${to + back / 2}"/>
<path class="sg-head" d="M${x} ${to}l-5 ${back}h10z"/>`);
    });
    parts.push(`<line class="sg-axis" x1="0" x2="${width}" y1="${this.y(0)}" y2="${this.y(0)}"/>`);
    for (let i = 0; i < classes; i += 1) {
      parts.push(`<text x="${i * slot + start + (bar * values.length) / 2}" y="${PANEL_HEIGHT - 4}" text-anchor="middle">${labels?.[i] ?? i}</text>`);
    }
    this.drawn.innerHTML = parts.join("");
  }
}

// ---- A matrix in colours ------------------------------------------------------

export function tint(value, strongest) {
  const strength = Math.round((55 * Math.abs(value)) / (strongest || 1));
  return `color-mix(in srgb, var(--sg-${value < 0 ? "negative" : "positive"}) ${strength}%, var(--sg-zero))`;
}

function matrixTable(parent, { title, caption }) {
  const table = element("table", { class: "sg-matrix" });
  const heading = element("p", { class: "sg-title", "aria-hidden": "true" });
  heading.innerHTML = title;
  parent.append(element("div", { class: "sg-panel" }, heading, table));
  return (matrix, { mark, foot = [] }) => {
    const strongest = Math.max(...matrix.map(largest));
    const head = matrix.map((_, j) => `<th scope="col">${j}</th>`).join("");
    const rows = matrix.map((row, i) => `<tr><th scope="row">${i}</th>${row.map((value, j) =>
      `<td class="${mark(i, j)}" style="background:${tint(value, strongest)}">${short(value)}</td>`).join("")}</tr>`);
    const feet = foot.map(([name, kind, values]) => `<tr class="sg-${kind}"><th scope="row">${name}</th>${values.map((value) =>
      `<td>${short(value)}</td>`).join("")}</tr>`);
    table.innerHTML = `<caption class="sg-unseen">${caption}</caption><thead><tr><td></td>${head}</tr></thead>
<tbody>${rows.join("")}</tbody><tfoot>${feet.join("")}</tfoot>`;
  };
}

// ---- T squared times the gradient against T -----------------------------------

const minus = (value) => String(value).replace("-", "\u2212");

// The curves run into their limits, which are dashed.
export function drawCurves(svg, state, height) {
  const { scaled, limit } = compute(state);
  const width = Math.max(280, Math.min(760, svg.clientWidth || svg.parentElement.clientWidth));
  const box = { left: 52, right: width - 66, top: 10, bottom: height - 44 };
  const [coldest, hottest] = LIMITS.temperature;
  const decades = Math.log10(hottest / coldest);
  const temperatures = Array.from({ length: 121 }, (_, k) => coldest * 10 ** ((decades * k) / 120));
  const rows = temperatures.map((T) => compute({ ...state, T }).scaled);
  const top = 1.08 * Math.max(largest(limit), ...rows.map(largest)) || 1;
  const x = (T) => box.left + ((box.right - box.left) * Math.log10(T / coldest)) / decades;
  const y = (value) => (box.top + box.bottom) / 2 - ((box.bottom - box.top) / 2) * (value / top);
  const line = (x1, y1, x2, y2, kind) =>
    `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" class="sg-${kind}"/>`;
  const text = (x1, y1, words, anchor = "middle") =>
    `<text x="${x1}" y="${y1}" text-anchor="${anchor}">${words}</text>`;

  const parts = [line(box.left, y(0), box.right, y(0), "axis"), line(x(state.T), box.top, x(state.T), box.bottom, "now")];
  for (const T of [0.1, 1, 10, 100]) {
    parts.push(line(x(T), box.bottom, x(T), box.bottom + 5, "axis"), text(x(T), box.bottom + 18, T));
  }
  const unit = 10 ** Math.floor(Math.log10(top));
  const step = top / unit >= 4 ? 2 * unit : top / unit >= 2 ? unit : unit / 2;
  for (let tick = -Math.floor(top / step); tick <= top / step; tick += 1) {
    parts.push(line(box.left - 5, y(tick * step), box.left, y(tick * step), "axis"));
    parts.push(text(box.left - 8, y(tick * step) + 4, minus(Number((tick * step).toPrecision(6))), "end"));
  }
  parts.push(line(box.left, box.top, box.left, box.bottom, "axis"), line(box.left, box.bottom, box.right, box.bottom, "axis"));
  parts.push(text((box.left + box.right) / 2, height - 8, "temperature T"));

  // Labels keep their order and stay 15 units apart.
  const order = limit.map((_, i) => i).sort((a, b) => limit[b] - limit[a]);
  let lowest = -Infinity;
  for (const i of order) {
    const path = temperatures.map((T, k) => `${x(T).toFixed(1)},${y(rows[k][i]).toFixed(1)}`).join(" ");
    parts.push(line(box.left, y(limit[i]), box.right, y(limit[i]), "limit"));
    parts.push(`<polyline points="${path}" class="sg-curve"/><circle cx="${x(state.T)}" cy="${y(scaled[i])}" r="4"/>`);
    lowest = Math.max(y(limit[i]) + 4, lowest + 15);
    parts.push(text(box.right + 6, lowest, `class ${i}`, "start"));
  }
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  svg.innerHTML = parts.join("");
}

// ---- In words -----------------------------------------------------------------

const isLabel = (t) => t.some((value) => value > 0.995);

export function tugOfWar(q, t) {
  const forces = gradient(q, t);
  const pushed = [];
  const pulled = [];
  forces.forEach((force, i) => {
    const size = short(Math.abs(force));
    const label = isLabel(t);
    if (size === "0.00") pulled.push(`class ${i} has what its target asks for`);
    else if (force > 0) {
      const holds = label ? `holds ${short(q[i])}` : `holds ${size} too much`;
      pushed.push(`class ${i} ${holds} and is pushed down by ${size}`);
    } else {
      const name = label ? `class ${i}, the right one,` : `class ${i}`;
      pulled.push(`${name} lacks ${size} and is pulled up by ${size}`);
    }
  });
  const said = [...pushed, ...pulled].join("; ");
  return `${said[0].toUpperCase()}${said.slice(1)}; the forces cancel.`;
}

function raising({ raised, q, column }) {
  const falling = q.map((_, i) => i).filter((i) => i !== raised);
  const rates = falling.map((i) => `class ${i}, which holds ${short(q[i])}, at the rate ${short(column[i])}`);
  return `When the logit of class ${raised} rises, its probability ${short(q[raised])} grows at the rate ${short(column[raised])}. ` +
    `The others shrink in proportion to what they hold: ${rates.join(", and ")}. The rates sum to zero.`;
}

function keeping({ terms, right, wrong }) {
  const dropped = right.map((value, j) => value - wrong[j]);
  const list = (values) => `(${values.map(short).join(", ")})`;
  return `Each column added up gives q − t = ${list(right)}. The diagonal alone gives −t(1 − q) = ${list(wrong)}: ` +
    `it drops ${list(dropped)}, and its entries sum to ${short(sum(diagonal(terms)))} instead of 0.`;
}

// ---- The kinds ----------------------------------------------------------------

const CAN = {
  logit: (act) => ({
    look: "plain", step: 0.1, reach: REACH.logit,
    name: (i) => `logit of class ${i}`, move: act.logit,
  }),
  probability: (act) => ({ look: "solid", move: act.probability }),
  target: (act) => ({
    look: "dashed", step: 0.05, reach: REACH.share,
    name: (i) => `target of class ${i}`, move: act.target,
  }),
};
const Z = { title: "logits <i>z</i>", low: -1.3, high: 3.3 };
const SHARES = { title: "<i>q</i>, and targets <i>t</i> dashed", low: 0, high: 1.05 };
const withProbability = (q) => (value, i, k) => `${short(value)}${k === 0 ? `, probability ${short(q[i])}` : ""}`;

function logitChart(panels, classes, act) {
  return new BarChart(panels, { ...Z, classes, series: [CAN.logit(act)] });
}

function shareChart(panels, classes, act) {
  return new BarChart(panels, { ...SHARES, classes, series: [CAN.probability(act), CAN.target(act)] });
}

function tugOfWarPicture(panels, classes, act) {
  const logits = logitChart(panels, classes, act);
  const shares = shareChart(panels, classes, act);
  const forces = new BarChart(panels, {
    title: "gradient <i>q</i> − <i>t</i>", low: -1.05, high: 1.05, classes,
    series: [{ look: "solid", move: act.difference }],
  });
  return {
    charts: [logits, shares, forces],
    draw({ z, t }) {
      const q = softmax(z);
      const right = gradient(q, t);
      logits.draw([z], { arrows: z.map((value, i) => [value, -1.6 * right[i]]), said: withProbability(q) });
      shares.draw([q, t]);
      forces.draw([right]);
      return tugOfWar(q, t);
    },
  };
}

function jacobianPicture(panels, classes, act) {
  const logits = logitChart(panels, classes, act);
  const shares = new BarChart(panels, {
    title: "<i>q</i>, and its rates", low: 0, high: 1.05, classes, series: [CAN.probability(act)],
  });
  const table = matrixTable(panels, {
    title: "<i>J<sub>ij</sub></i>: output <i>i</i>, input <i>j</i>",
    caption: "The Jacobian of softmax, a row for each output and a column for each input; the column of the raised logit is framed",
  });
  return {
    charts: [logits, shares],
    draw({ z, raised }) {
      const q = softmax(z);
      const J = jacobian(q);
      const column = J.map((row) => row[raised]);
      logits.draw([z], { arrows: z.map((value, i) => [value, i === raised ? 0.9 : 0]), said: withProbability(q) });
      shares.draw([q], { arrows: q.map((value, i) => [value, 1.6 * column[i]]) });
      table(J, { mark: (_, j) => (j === raised ? "sg-chosen" : "") });
      return raising({ raised, q, column });
    },
  };
}

function summationPicture(panels, classes, act) {
  const logits = logitChart(panels, classes, act);
  const shares = shareChart(panels, classes, act);
  const table = matrixTable(panels, {
    title: "−<i>t<sub>i</sub></i>/<i>q<sub>i</sub></i> · <i>J<sub>ij</sub></i>: output <i>i</i>, input <i>j</i>",
    caption: "The terms of the chain rule, a row for each output and a column for each input, with the diagonal framed; below, the column sums and the diagonal",
  });
  return {
    charts: [logits, shares],
    draw({ z, t }) {
      const q = softmax(z);
      const terms = chainRuleTerms(q, t);
      const [right, wrong] = [columnSums(terms), diagonal(terms)];
      logits.draw([z], { said: withProbability(q) });
      shares.draw([q, t]);
      table(terms, {
        mark: (i, j) => (i === j ? "sg-kept" : ""),
        foot: [["columns added", "right", right], ["diagonal only", "wrong", wrong]],
      });
      return keeping({ terms, right, wrong });
    },
  };
}

function temperaturePicture(panels, classes, act) {
  const logits = logitChart(panels, classes, act);
  const shares = shareChart(panels, classes, act);
  const both = new BarChart(panels, {
    title: "(<i>q</i> − <i>t</i>)/<i>T</i>, <i>q</i> − <i>t</i> dashed", low: -1.05, high: 1.05, classes,
    series: [{ look: "solid" }, { look: "dashed" }],
  });
  return {
    charts: [logits, shares, both],
    warmth: true,
    draw({ z, t, T }) {
      const q = softmax(z, T);
      const divided = gradient(q, t, T);
      // Colder than 1, the gradient outgrows q - t.
      const top = 1.05 * Math.max(1, 1 / T);
      logits.draw([z], { said: withProbability(q) });
      shares.draw([q, t]);
      both.draw([divided, gradient(q, t)], { lowest: -top, highest: top });
      const list = (values) => `(${values.map(short).join(", ")})`;
      return `At T = ${T} the probabilities are ${list(q)}. The gradient in z is (q − t)/T = ${list(divided)}; ` +
        `without the factor 1/T = ${short(1 / T)} it would be ${list(gradient(q, t))}.`;
    },
  };
}

function limitPicture(panels, classes, act) {
  panels.classList.add("sg-two");
  const both = new BarChart(panels, {
    title: "logits <i>z</i>, teacher’s <i>v</i> dashed", low: Z.low, high: Z.high, classes,
    series: [CAN.logit(act), { ...CAN.logit(act), look: "dashed", name: (i) => `teacher’s logit of class ${i}`, move: act.teacher }],
  });
  const svg = element("svg", { class: "sg-curves", height: PANEL_HEIGHT + 10, "aria-hidden": "true" });
  const heading = element("p", { class: "sg-title" });
  heading.innerHTML = "<i>T</i>² times the gradient, and its limit dashed";
  panels.append(element("div", { class: "sg-panel sg-broad" }, heading, svg));
  return {
    charts: [both],
    warmth: true,
    draw({ z, v, T }) {
      const { scaled, limit } = compute({ z, v, T });
      both.draw([z, v]);
      drawCurves(svg, { z, v, T }, PANEL_HEIGHT + 10);
      const list = (values) => `(${values.map(short).join(", ")})`;
      return `At T = ${T}, T² times the gradient (q − p)/T is ${list(scaled)}. Its limit (z̃ − ṽ)/C is ${list(limit)}, ` +
        `and the largest difference is ${largest(scaled.map((value, i) => value - limit[i])).toPrecision(2)}.`;
    },
  };
}

export const KINDS = {
  "tug-of-war": { name: "Tug of war", make: tugOfWarPicture },
  jacobian: { name: "Raise one logit", make: jacobianPicture },
  summation: { name: "The terms of the chain rule", make: summationPicture },
  temperature: { name: "Temperature", make: temperaturePicture },
  limit: { name: "High-temperature limit", make: limitPicture },
};

// Make the explorer of a kind in `box`.
export function explore(box, kind) {
  const { name, make } = KINDS[kind];
  let state = EXAMPLE;
  let announcement = 0;
  box.classList.add("sg-explorer", "sg-picture", `sg-picture-${kind}`);
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", `Explorer: ${name}`);
  const panels = element("div", { class: "sg-three" });
  const words = element("p", { class: "sg-words" });
  const status = element("p", { class: "sg-unseen", role: "status" });
  const reset = element("button", { type: "button" }, "Back to the example");
  const controls = element("div", { class: "sg-below" });
  box.append(panels, controls, words, status);

  const act = {
    logit: (i, value) => change({
      z: state.z.with(i, rounded(clamp(value, REACH.logit), 0.01)), raised: i,
    }),
    teacher: (i, value) => change({ v: state.v.with(i, rounded(clamp(value, REACH.logit), 0.01)) }),
    target: (i, value) => change({ t: withTarget(rounded(clamp(value, REACH.share), 0.01), i, state.t) }),
    // The logit that gives this probability at the temperature shown.
    probability: (i, value) => {
      const T = picture.warmth ? state.T : 1;
      const scaled = state.z.map((logit) => logit / T);
      act.logit(i, T * logitFor(clamp(value, [1e-3, 1 - 1e-3]), i, scaled));
    },
    difference: (i, value) => act.probability(i, value + state.t[i]),
  };
  const picture = make(panels, state.z.length, act);
  let slider = null;
  if (picture.warmth) {
    const [coldest, hottest] = LIMITS.temperature;
    slider = element("input", {
      type: "range", step: "0.01", min: Math.log10(coldest), max: Math.log10(hottest), "aria-label": "temperature",
    });
    const shown = element("output", { "aria-hidden": "true" });
    const label = element("label");
    label.innerHTML = "<i>T</i>";
    label.append(slider, shown);
    controls.append(label);
    slider.addEventListener("input", () => change({ T: Number((10 ** Number(slider.value)).toPrecision(3)) }));
  }
  controls.append(reset);
  reset.addEventListener("click", () => change(EXAMPLE));

  function draw() {
    const said = picture.draw(state);
    words.textContent = said;
    if (slider) {
      slider.value = Math.log10(state.T);
      slider.setAttribute("aria-valuetext", String(state.T));
      slider.nextElementSibling.textContent = String(state.T);
    }
    box.dataset.state = JSON.stringify(state);
    return said;
  }

  function change(changes) {
    state = { ...state, ...changes };
    const said = draw();
    // Said once the hand rests, not at each step of a drag.
    clearTimeout(announcement);
    announcement = setTimeout(() => { status.textContent = said; }, 500);
  }

  new ResizeObserver(draw).observe(panels);
  draw();
}

// ---- On the page --------------------------------------------------------------

// Put the explorer of its kind into each figure that has a still picture of it. The
// style comes with the script: what needs no script does not wait for it.
export function exploreFigures(style) {
  document.head.append(element("style", {}, style));
  for (const [kind] of Object.entries(KINDS)) {
    for (const cell of document.querySelectorAll(`figure.explorer-${kind}, .tag_explorer-${kind}`)) {
      const figure = cell.matches("figure") ? cell : cell.querySelector(".cell_output figure");
      const still = figure?.querySelector("img");
      if (!still) continue;
      const box = element("div");
      (still.closest("a") ?? still).before(box);
      figure.classList.add("sg-moving");
      explore(box, kind);
      // A run of the cell shows the picture that its code drew.
      document.addEventListener("live-cell", () => {
        const drawn = cell.querySelector(".cell_output figure.sg-moving");
        if (!drawn || drawn === figure) return;
        drawn.classList.remove("sg-moving");
        drawn.querySelector(".sg-picture")?.remove();
      });
    }
  }
}
