// The explorer: move logits, teacher logits and the temperature, and see the
// gradients at once. `compute` is the mathematics, `mount` draws it; tests compare
// both with the package. Nothing is loaded: the page holds this file.

export const LIMITS = { classes: [2, 6], temperature: [0.1, 100], logit: 1000 };

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

// ---- The mathematics --------------------------------------------------------

const sum = (values) => values.reduce((total, value) => total + value, 0);
const largest = (values) => Math.max(...values.map(Math.abs));
const centred = (values) => values.map((value) => value - sum(values) / values.length);

export function softmax(logits, temperature) {
  const highest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp((logit - highest) / temperature));
  return powers.map((power) => power / sum(powers));
}

export function compute({ z, v, T }) {
  const C = z.length;
  const q = softmax(z, T);
  const p = softmax(v, T);
  // 1 - q_i as the sum of the others, which keeps its digits where q_i is near 1.
  const rest = q.map((_, i) => sum(q.filter((_, j) => j !== i)));
  const limit = centred(z).map((value, i) => (value - centred(v)[i]) / C);
  const right = q.map((_, i) => (q[i] - p[i]) / T);
  return {
    q,
    p,
    jacobian: q.map((_, i) => q.map((_, j) => (q[i] * (i === j ? rest[i] : -q[j])) / T)),
    gradients: {
      right,
      diagonal: q.map((_, i) => (-p[i] * rest[i]) / T),
      inverseSquare: q.map((_, i) => (q[i] - p[i]) / T ** 2),
      uncentred: z.map((_, i) => (z[i] - v[i]) / (C * T ** 2)),
    },
    scaled: right.map((value) => T ** 2 * value),
    limit,
  };
}

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

// Four decimals, or three digits and a power of ten for what is small.
export function format(value) {
  const size = Math.abs(value);
  let text = "0";
  if (size >= 9.995e-4) text = value.toFixed(size >= 1000 ? 1 : 4);
  else if (size >= 1e-12) text = value.toExponential(2);
  return text.replaceAll("-", "\u2212");
}

const signed = (value) => String(value).replace("-", "\u2212");

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
<div class="sg-controls">
  <fieldset data-of="z"><legend>Logits <i>z</i></legend></fieldset>
  <fieldset data-of="v"><legend>Teacher’s logits <i>v</i></legend></fieldset>
  <fieldset data-of="T"><legend>Temperature and classes</legend>
    <label><span><i>T</i></span><input type="range" step="0.01" aria-label="temperature"><span class="sg-value" aria-hidden="true"></span></label>
    <label><span>Classes</span><select></select></label>
    <span class="sg-actions"><button type="button" class="sg-reset">Reset</button> <a class="sg-link">Link to this state</a></span>
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

const classHeads = (C) => Array.from({ length: C }, (_, i) => `<th scope="col">${i + 1}</th>`).join("");
const row = (head, cells) => `<tr><th scope="row">${head}</th>${cells.join("")}</tr>`;

function probabilityTable({ q, p }) {
  return `<caption>Probabilities: the student’s <i>q</i> = softmax(<i>z</i>/<i>T</i>), the teacher’s <i>p</i> = softmax(<i>v</i>/<i>T</i>)</caption>
<thead><tr><th scope="col">Class</th><th scope="col"><i>q</i></th><th scope="col"><i>p</i></th></tr></thead>
<tbody>${q.map((_, i) => row(i + 1, [
    cell(q[i], `q-${i}`, "right", positiveBar(q[i])),
    cell(p[i], `p-${i}`, "plain", positiveBar(p[i])),
  ])).join("")}</tbody>`;
}

function jacobianTable({ jacobian }) {
  const strongest = Math.max(...jacobian.map(largest)) || 1;
  const tinted = (value, i, j) => {
    const strength = Math.round((55 * Math.abs(value)) / strongest);
    const colour = value < 0 ? "#762a83" : "#1b7837";
    return `<td data-name="jacobian-${i}-${j}"${i === j ? ' class="sg-diagonal"' : ""} style="background:color-mix(in srgb, ${colour} ${strength}%, #fff)">${format(value)}</td>`;
  };
  return `<caption>The Jacobian <i>J<sub>ij</sub></i> = ∂<i>q<sub>i</sub></i>/∂<i>z<sub>j</sub></i>: purple below zero, green above. The diagonal is outlined: it is all that “diagonal only” keeps.</caption>
<thead><tr><th scope="col"><i>i</i> \\ <i>j</i></th>${classHeads(jacobian.length)}</tr></thead>
<tbody>${jacobian.map((entries, i) => row(i + 1, entries.map((value, j) => tinted(value, i, j)))).join("")}</tbody>`;
}

function gradientTable({ gradients }) {
  const all = Math.max(...Object.values(gradients).map(largest));
  const scale = largest(gradients.right) > 1e-12 ? Math.min(1.5 * largest(gradients.right), all) : all || 1;
  return `<caption>The gradient of the loss in the logits <i>z</i>, right and wrong. Bars share one scale; one with an open end is cut.</caption>
<thead><tr><th scope="col">Class</th>${GRADIENTS.map(([, kind, title]) => `<th scope="col" class="sg-${kind}">${title}</th>`).join("")}</tr></thead>
<tbody>${gradients.right.map((_, i) => row(i + 1, GRADIENTS.map(([name, kind]) =>
    cell(gradients[name][i], `${name}-${i}`, kind, signedBar(gradients[name][i], scale))))).join("")}</tbody>
<tfoot>${row("Sum", GRADIENTS.map(([name, kind]) => cell(sum(gradients[name]), `${name}-sum`, kind)))}</tfoot>`;
}

function limitTable({ scaled, limit }) {
  return `<caption><i>T</i>² times the right gradient, and its limit as <i>T</i> grows, with the means of <i>z</i> and <i>v</i> taken off: (<i>z̃</i> − <i>ṽ</i>)/<i>C</i></caption>
<thead><tr><th scope="col">Class</th>${classHeads(scaled.length)}</tr></thead>
<tbody>${row("Now", scaled.map((value, i) => cell(value, `scaled-${i}`, "right")))}
${row("Limit", limit.map((value, i) => cell(value, `limit-${i}`, "plain")))}</tbody>`;
}

// T^2 times the gradient against T, with the limits as dashed lines on the right.
function drawCurve(figure, state, { scaled, limit }) {
  const width = Math.max(280, Math.min(760, figure.clientWidth));
  const height = 300;
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
    parts.push(text(box.left - 8, y(tick * step) + 4, signed(Number((tick * step).toPrecision(6))), "end"));
  }
  parts.push(line(box.left, box.top, box.left, box.bottom, "axis"), line(box.left, box.bottom, box.right, box.bottom, "axis"));
  parts.push(text((box.left + box.right) / 2, height - 8, "temperature T"));

  // Labels keep their order and stay 15 units apart.
  const order = limit.map((_, i) => i).sort((a, b) => limit[b] - limit[a]);
  let lowest = -Infinity;
  for (const i of order) {
    const path = temperatures.map((T, k) => `${x(T).toFixed(1)},${y(rows[k][i]).toFixed(1)}`).join(" ");
    parts.push(line(x(10), y(limit[i]), box.right, y(limit[i]), "limit"));
    parts.push(`<polyline points="${path}" class="sg-curve"/><circle cx="${x(state.T)}" cy="${y(scaled[i])}" r="4"/>`);
    lowest = Math.max(y(limit[i]) + 4, lowest + 15);
    parts.push(text(box.right + 6, lowest, `class ${i + 1}`, "start"));
  }
  const svg = figure.querySelector("svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-label", `T squared times the right gradient against the temperature: one line for each class runs from 0 at low temperatures to its limit, ${limit.map(format).join(", ")}.`);
  svg.innerHTML = parts.join("");
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
  root.innerHTML = MARKUP;
  const find = (selector) => root.querySelector(selector);
  const slider = find('[data-of="T"] input');
  const classes = find("select");
  const [coldest, hottest] = LIMITS.temperature;
  slider.min = Math.log10(coldest);
  slider.max = Math.log10(hottest);
  for (let C = LIMITS.classes[0]; C <= LIMITS.classes[1]; C += 1) classes.add(new Option(C, C));
  for (const preset of PRESETS) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = preset.name;
    button.addEventListener("click", () => change(preset));
    find(".sg-presets").append(button);
  }

  function makeSliders() {
    for (const [name, title] of [["z", "logit"], ["v", "teacher’s logit"]]) {
      const fieldset = find(`[data-of="${name}"]`);
      fieldset.querySelectorAll("label").forEach((label) => label.remove());
      state[name].forEach((_, i) => {
        const label = document.createElement("label");
        label.innerHTML = `<span><i>${name}</i><sub>${i + 1}</sub></span><input type="range" step="0.1" aria-label="${title} of class ${i + 1}"><span class="sg-value" aria-hidden="true"></span>`;
        label.querySelector("input").addEventListener("input", (event) => {
          change({ ...state, [name]: state[name].with(i, Number(event.target.value)) });
        });
        fieldset.append(label);
      });
    }
  }

  function setSlider(input, position, shown) {
    input.value = position;
    input.setAttribute("aria-valuetext", shown);
    input.nextElementSibling.textContent = signed(shown);
  }

  function draw() {
    if (find('[data-of="z"]').querySelectorAll("input").length !== state.z.length) makeSliders();
    for (const name of ["z", "v"]) {
      const reach = Math.max(5, Math.ceil(largest(state[name])));
      find(`[data-of="${name}"]`).querySelectorAll("input").forEach((input, i) => {
        input.min = -reach;
        input.max = reach;
        setSlider(input, state[name][i], String(state[name][i]));
      });
    }
    setSlider(slider, Math.log10(state.T), String(state.T));
    classes.value = state.z.length;
    const shown = compute(state);
    find(".sg-probabilities").innerHTML = probabilityTable(shown);
    find(".sg-jacobian").innerHTML = jacobianTable(shown);
    find(".sg-gradients").innerHTML = gradientTable(shown);
    find(".sg-limits").innerHTML = limitTable(shown);
    drawCurve(find("figure"), state, shown);
    const preset = PRESETS.find((each) => formatState(each) === formatState(state));
    find(".sg-story").innerHTML = !preset ? "" : preset.story +
      (chapters ? ` See <a href="${preset.page}.html">${preset.chapter}</a>.` : "");
    find(".sg-presets").querySelectorAll("button").forEach((button, k) =>
      button.setAttribute("aria-pressed", String(PRESETS[k] === preset)));
    find(".sg-link")?.setAttribute("href", `#${formatState(state)}`);
    root.dataset.state = formatState(state);
    // Said once the hand rests, not at each step of a drag.
    clearTimeout(announcement);
    announcement = setTimeout(() => { find(".sg-status").textContent = summary(state, shown); }, 500);
  }

  function change({ z, v, T }) {
    state = { z: [...z], v: [...v], T };
    draw();
    if (address) history.replaceState(null, "", `#${formatState(state)}`);
  }

  slider.addEventListener("input", () => {
    const T = Number((10 ** Number(slider.value)).toPrecision(3));
    change({ ...state, T });
  });
  classes.addEventListener("change", () => {
    const resized = (values) => Array.from({ length: Number(classes.value) }, (_, i) => values[i] ?? 0);
    change({ z: resized(state.z), v: resized(state.v), T: state.T });
  });
  find(".sg-reset").addEventListener("click", () => change(start));
  if (address) {
    const follow = () => {
      const found = parseState(location.hash.slice(1));
      if (found) { state = found; draw(); }
    };
    addEventListener("hashchange", follow);
    state = parseState(location.hash.slice(1)) ?? start;
  } else {
    find(".sg-link").remove();
  }
  find("figcaption").innerHTML = "<i>T</i>² times the right gradient. Dashed: the limit of each class, from T = 10 on. Upright line: the temperature now.";
  new ResizeObserver(() => drawCurve(find("figure"), state, compute(state))).observe(find("figure"));
  draw();
}
