// The whole explorer: move logits, teacher logits and the temperature, and see the
// gradients at once. Nothing is loaded: the page holds this file.

import { compute, format, largest, LIMITS, sum } from "./numbers.mjs";
import { BarChart, drawCurves, tint } from "./pictures.mjs";

export const PRESETS = [
  {
    name: "The book's example",
    z: [2, 0.5, -1, 1.2], v: [1, 2.5, -0.5, 0], T: 2,
    page: "temperature", chapter: "Temperature",
    story: "Each wrong gradient differs from the right one. Two of them do not even sum to zero over the classes.",
  },
  {
    name: "One sure teacher",
    z: [2, 0.5, -1, 1.2], v: [-5, -5, 5, -5], T: 1,
    page: "summation-mistake", chapter: "The summation mistake",
    story: "The teacher is nearly a label. With the diagonal alone, only the class of the label is pushed; the others, which must fall, are left as they are.",
  },
  {
    name: "Teacher and student agree",
    z: [2, 0.5, -1, 1.2], v: [2, 0.5, -1, 1.2], T: 1,
    page: "jacobian-structure", chapter: "The structure of the Jacobian",
    story: "Nothing is left to learn, and the right gradient is zero. The diagonal alone still pushes every logit up: training would not stop here.",
  },
  {
    name: "One factor 1/T",
    z: [2, 0.5, -1, 1.2], v: [1, 2.5, -0.5, 0], T: 4,
    page: "temperature", chapter: "Temperature",
    story: "At T = 4 the gradient with 1/T² is four times too small. At T = 1 nobody would notice: move the temperature there.",
  },
  {
    name: "Hot",
    z: [2, 0.5, -1, 1.2], v: [1, 2.5, -0.5, 0], T: 50,
    page: "high-temperature-limit", chapter: "The high-temperature limit",
    story: "At a high temperature, T² times the gradient is close to its limit, the centred logits' difference over C.",
  },
  {
    name: "Means that differ",
    z: [4, 2.5, 1, 3.2], v: [1, 2.5, -0.5, 0], T: 50,
    page: "high-temperature-limit", chapter: "The high-temperature limit",
    story: "The same student, every logit two higher: its probabilities and the right gradient have not changed. The limit without centring has: it pushes every logit down, or leaves it.",
  },
  {
    name: "Cold",
    z: [2, 0.5, -1, 1.2], v: [1, 2.5, -0.5, 0], T: 0.2,
    page: "softmax-jacobian", chapter: "The softmax Jacobian",
    story: "A low temperature makes both nearly one-hot. The Jacobian almost vanishes outside two classes, and the high-temperature formula is far off.",
  },
];

// ---- The state, in the address and in the controls ------------------------------

export function formatState({ z, v, T }) {
  return `z=${z.join(",")}&v=${v.join(",")}&T=${T}`;
}

// The state that a text holds, or null: an address can be mistyped.
export function parseState(text) {
  const fields = new URLSearchParams(text);
  const numbers = (name) =>
    (fields.get(name) ?? "").split(",").map((part) => (part.trim() ? Number(part) : NaN));
  const [z, v, [T]] = ["z", "v", "T"].map(numbers);
  const [fewest, most] = LIMITS.classes;
  const [coldest, hottest] = LIMITS.temperature;
  const allowed =
    z.length === v.length && z.length >= fewest && z.length <= most &&
    [...z, ...v].every((value) => Math.abs(value) <= LIMITS.logit) &&
    T >= coldest && T <= hottest;
  return allowed ? { z, v, T } : null;
}

// ---- The page ----------------------------------------------------------------

const GRADIENTS = [
  ["right", "right", "right: (<i>q</i> − <i>p</i>)/<i>T</i>"],
  ["diagonal", "wrong", "wrong: diagonal only"],
  ["inverseSquare", "wrong", "wrong: 1/<i>T</i>²"],
  ["uncentred", "wrong", "wrong: limit, not centred"],
];

const MARKUP = `
<div class="sg-presets" role="group" aria-label="Examples"></div>
<p class="sg-story"></p>
<div class="sg-stage"><div class="sg-three"></div></div>
<div class="sg-controls">
  <fieldset data-of="z"><legend>Logits <i>z</i></legend></fieldset>
  <fieldset data-of="v"><legend>Teacher’s logits <i>v</i></legend></fieldset>
  <fieldset data-of="T"><legend>Temperature and classes</legend>
    <label><span><i>T</i></span><input type="range" step="0.01" aria-label="temperature"><input type="number" step="any" aria-label="temperature, typed"></label>
    <label><span>Classes</span><select></select></label>
    <span class="sg-actions"><button type="button" class="sg-reset">Reset</button> <button type="button" class="sg-copy">Copy link</button> <span class="sg-copied" role="status"></span></span>
  </fieldset>
</div>
<p class="sg-status" role="status"></p>
<div class="sg-panels">
  <div><table class="sg-probabilities"></table></div>
  <div><table class="sg-jacobian"></table></div>
  <div class="sg-wide"><table class="sg-gradients"></table></div>
  <div class="sg-wide"><table class="sg-limits"></table></div>
  <figure class="sg-wide"><svg role="img"></svg><figcaption></figcaption></figure>
</div>`;

const cell = (value, name, kind, bar = "") =>
  `<td class="sg-${kind}" data-name="${name}"><span class="sg-number">${format(value)}</span>${bar}</td>`;

// A bar from 0 to the right, for a probability.
const positiveBar = (value) =>
  `<span class="sg-bar"><span style="left:0;width:${100 * value}%"></span></span>`;

// A bar from the middle to either side; what is longer than the cell is cut there.
function signedBar(value, scale) {
  const part = Math.min(Math.abs(value) / scale, 1) * 50;
  const cut = Math.abs(value) > scale * (1 + 1e-9) ? " class=\"sg-cut\"" : "";
  return `<span class="sg-bar sg-signed"><span${cut} style="left:${value < 0 ? 50 - part : 50}%;width:${part}%"></span></span>`;
}

// What the sliders and the dragged bars of the logits reach.
const reachOf = ({ z, v }) => Math.max(5, Math.ceil(largest([...z, ...v])));

const classHeads = (C) => Array.from({ length: C }, (_, i) => `<th scope="col">${i}</th>`).join("");
const row = (head, cells) => `<tr><th scope="row">${head}</th>${cells.join("")}</tr>`;

function probabilityTable({ q, p }) {
  return `<caption>Probabilities: the student’s <i>q</i> = softmax(<i>z</i>/<i>T</i>), the teacher’s <i>p</i> = softmax(<i>v</i>/<i>T</i>)</caption>
<thead><tr><th scope="col">Class</th><th scope="col"><i>q</i></th><th scope="col"><i>p</i></th></tr></thead>
<tbody>${q.map((_, i) => row(i, [
    cell(q[i], `q-${i}`, "right", positiveBar(q[i])),
    cell(p[i], `p-${i}`, "plain", positiveBar(p[i])),
  ])).join("")}</tbody>`;
}

function jacobianTable({ jacobian }) {
  const strongest = Math.max(...jacobian.map(largest));
  const tinted = (value, i, j) =>
    `<td data-name="jacobian-${i}-${j}"${i === j ? ' class="sg-diagonal"' : ""} style="background:${tint(value, strongest)}">${format(value)}</td>`;
  return `<caption>The Jacobian <i>J<sub>ij</sub></i> = ∂<i>q<sub>i</sub></i>/∂<i>z<sub>j</sub></i>: purple below zero, green above. The diagonal is outlined: it is all that “diagonal only” keeps.</caption>
<thead><tr><th scope="col"><i>i</i> \\ <i>j</i></th>${classHeads(jacobian.length)}</tr></thead>
<tbody>${jacobian.map((entries, i) => row(i, entries.map((value, j) => tinted(value, i, j)))).join("")}</tbody>`;
}

function gradientTable({ gradients }) {
  const all = Math.max(...Object.values(gradients).map(largest));
  const scale = largest(gradients.right) > 1e-12 ? Math.min(1.5 * largest(gradients.right), all) : all || 1;
  return `<caption>The gradient of the loss in the logits <i>z</i>, right and wrong. Bars share one scale; one with an open end is cut.</caption>
<thead><tr><th scope="col">Class</th>${GRADIENTS.map(([, kind, title]) => `<th scope="col" class="sg-${kind}">${title}</th>`).join("")}</tr></thead>
<tbody>${gradients.right.map((_, i) => row(i, GRADIENTS.map(([name, kind]) =>
    cell(gradients[name][i], `${name}-${i}`, kind, signedBar(gradients[name][i], scale))))).join("")}</tbody>
<tfoot>${row("Sum", GRADIENTS.map(([name, kind]) => cell(sum(gradients[name]), `${name}-sum`, kind)))}</tfoot>`;
}

function limitTable({ scaled, limit }) {
  return `<caption><i>T</i>² times the right gradient, and its limit as <i>T</i> grows, with the means of <i>z</i> and <i>v</i> taken off: (<i>z̃</i> − <i>ṽ</i>)/<i>C</i></caption>
<thead><tr><th scope="col">Class</th>${classHeads(scaled.length)}</tr></thead>
<tbody>${row("Now", scaled.map((value, i) => cell(value, `scaled-${i}`, "right")))}
${row("Limit", limit.map((value, i) => cell(value, `limit-${i}`, "plain")))}</tbody>`;
}

function summary(state, { gradients, scaled, limit }) {
  const off = (name) => format(largest(gradients.right.map((value, i) => value - gradients[name][i])));
  return `At T = ${state.T} the right gradient is (${gradients.right.map(format).join(", ")}). ` +
    `The largest error of the diagonal alone is ${off("diagonal")}, of 1/T² ${off("inverseSquare")}, ` +
    `of the limit without centring ${off("uncentred")}. ` +
    `T² times the gradient is within ${format(largest(scaled.map((value, i) => value - limit[i])))} of its limit.`;
}

// Build the explorer in `root`. With `address`, the state is kept in the page's
// address; with `chapters`, the stories link to the chapters beside the page.
export function mount(root, { initial, address = false, chapters = false }) {
  const start = parseState(initial);
  let state = start;
  let announcement = 0;
  const charts = {};
  root.innerHTML = MARKUP;
  const find = (selector) => root.querySelector(selector);
  const slider = find('[data-of="T"] input');
  const classMenu = find("select");
  const [coldest, hottest] = LIMITS.temperature;
  slider.min = Math.log10(coldest);
  slider.max = Math.log10(hottest);
  for (let C = LIMITS.classes[0]; C <= LIMITS.classes[1]; C += 1) classMenu.add(new Option(C, C));
  for (const preset of PRESETS) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = preset.name;
    button.addEventListener("click", () => change(preset, true));
    find(".sg-presets").append(button);
  }

  function makeSliders() {
    for (const [name, title] of [["z", "logit"], ["v", "teacher’s logit"]]) {
      const fieldset = find(`[data-of="${name}"]`);
      fieldset.querySelectorAll("label").forEach((label) => label.remove());
      state[name].forEach((_, i) => {
        const label = document.createElement("label");
        label.innerHTML = `<span><i>${name}</i><sub>${i}</sub></span><input type="range" step="0.1" aria-label="${title} of class ${i}"><input type="number" step="any" aria-label="${title} of class ${i}, typed">`;
        const [slide, typed] = label.querySelectorAll("input");
        slide.addEventListener("input", () => moveLogit(name, i, Number(slide.value)));
        typed.addEventListener("change", () => type(typed, LIMITS.logit, (value) => moveLogit(name, i, value)));
        fieldset.append(label);
      });
    }
  }

  const moveLogit = (name, i, value) => change({ ...state, [name]: state[name].with(i, value) });

  // Take a typed number, or put the old one back.
  function type(input, most, take) {
    const value = input.value.trim() ? Number(input.value) : NaN;
    if (Math.abs(value) <= most) take(value);
    else draw();
  }

  function makeCharts() {
    const panels = find(".sg-stage .sg-three");
    panels.replaceChildren();
    const classes = state.z.length;
    const drag = (name) => (i, value) => {
      const reach = reachOf(state);
      moveLogit(name, i, Number(Math.max(-reach, Math.min(reach, value)).toFixed(1)));
    };
    charts.logits = new BarChart(panels, {
      title: "<i>z</i>, and <i>v</i> dashed", low: -5, high: 5, classes,
      series: [{ look: "plain", move: drag("z") }, { look: "dashed", move: drag("v") }],
    });
    charts.shares = new BarChart(panels, {
      title: "<i>q</i>, and <i>p</i> dashed", low: 0, high: 1.05, classes, series: [{ look: "solid" }, { look: "dashed" }],
    });
    charts.gradients = new BarChart(panels, {
      title: "(<i>q</i> − <i>p</i>)/<i>T</i>", low: -1, high: 1, classes, series: [{ look: "solid" }],
    });
  }

  function drawCharts({ q, p, gradients }) {
    const reach = reachOf(state);
    charts.logits.draw([state.z, state.v], { lowest: -reach, highest: reach });
    charts.shares.draw([q, p]);
    const top = 1.2 * largest(gradients.right) || 1;
    charts.gradients.draw([gradients.right], { lowest: -top, highest: top });
  }

  function setSlider(input, position, shown) {
    input.value = position;
    input.setAttribute("aria-valuetext", shown);
    input.nextElementSibling.value = shown;
  }

  function showCurves({ limit }) {
    const svg = find("figure svg");
    drawCurves(svg, state, 300);
    svg.setAttribute("aria-label", `T squared times the right gradient against the temperature: one line for each class runs from 0 at low temperatures to its limit, ${limit.map(format).join(", ")}.`);
  }

  function draw() {
    if (find('[data-of="z"]').querySelectorAll("label").length !== state.z.length) {
      makeSliders();
      makeCharts();
    }
    const reach = reachOf(state);
    for (const name of ["z", "v"]) {
      find(`[data-of="${name}"]`).querySelectorAll('[type="range"]').forEach((input, i) => {
        input.min = -reach;
        input.max = reach;
        setSlider(input, state[name][i], String(state[name][i]));
      });
    }
    setSlider(slider, Math.log10(state.T), String(state.T));
    classMenu.value = state.z.length;
    const shown = compute(state);
    drawCharts(shown);
    find(".sg-probabilities").innerHTML = probabilityTable(shown);
    find(".sg-jacobian").innerHTML = jacobianTable(shown);
    find(".sg-gradients").innerHTML = gradientTable(shown);
    find(".sg-limits").innerHTML = limitTable(shown);
    showCurves(shown);
    const preset = PRESETS.find((each) => formatState(each) === formatState(state));
    find(".sg-story").innerHTML = !preset ? "" : preset.story +
      (chapters ? ` See <a href="${preset.page}.html">${preset.chapter}</a>.` : "");
    find(".sg-presets").querySelectorAll("button").forEach((button, k) =>
      button.setAttribute("aria-pressed", String(PRESETS[k] === preset)));
    root.dataset.state = formatState(state);
    // Said once the hand rests, not at each step of a drag.
    clearTimeout(announcement);
    announcement = setTimeout(() => { find(".sg-status").textContent = summary(state, shown); }, 500);
  }

  // What is chosen is a step of the browser's history; what is moved by hand is not.
  function change({ z, v, T }, chosen = false) {
    state = { z: [...z], v: [...v], T };
    draw();
    const here = `#${formatState(state)}`;
    if (!address || location.hash === here) return;
    if (chosen) history.pushState(null, "", here);
    else history.replaceState(null, "", here);
  }

  slider.addEventListener("input", () => {
    const T = Number((10 ** Number(slider.value)).toPrecision(3));
    change({ ...state, T });
  });
  classMenu.addEventListener("change", () => {
    const resized = (values) => Array.from({ length: Number(classMenu.value) }, (_, i) => values[i] ?? 0);
    change({ z: resized(state.z), v: resized(state.v), T: state.T });
  });
  const typedTemperature = slider.nextElementSibling;
  typedTemperature.addEventListener("change", () => type(typedTemperature, hottest, (T) => {
    if (T >= coldest) change({ ...state, T });
    else draw();
  }));
  find(".sg-reset").addEventListener("click", () => change(start, true));
  if (address) {
    const follow = () => {
      const found = location.hash ? parseState(location.hash.slice(1)) : start;
      if (found) { state = found; draw(); }
    };
    find(".sg-copy").addEventListener("click", async () => {
      const link = `${location.href.split("#")[0]}#${formatState(state)}`;
      const copying = navigator.clipboard?.writeText(link) ?? Promise.reject();
      find(".sg-copied").textContent = await copying.then(
        () => "Copied.", () => "Not allowed here: the address of this page is the link.");
      setTimeout(() => { find(".sg-copied").textContent = ""; }, 5000);
    });
    addEventListener("hashchange", follow);
    state = parseState(location.hash.slice(1)) ?? start;
  } else {
    find(".sg-copy").remove();
  }
  find("figcaption").innerHTML = "<i>T</i>² times the right gradient. Dashed: the limit of each class. Upright line: the temperature now.";
  new ResizeObserver(() => {
    const shown = compute(state);
    drawCharts(shown);
    showCurves(shown);
  }).observe(root);
  draw();
}
