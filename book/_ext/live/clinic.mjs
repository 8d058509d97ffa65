// The clinic: pasted code goes to Python, in a worker, and the doctor's answer is shown.
//
// Whoever made a link to code can have it answer anything. So what comes back is text
// and numbers here, whatever it looks like, and addresses are made of names alone.
//
// Each answer sends the page the event "clinic-answer", with the answer as its detail.

const address = (name) => new URL(name, import.meta.url);
const version = new URL(import.meta.url).searchParams.get("v") ?? "";
const versioned = (name) => address(`${name}?v=${version}`);
const GUESS = "";
const CHOOSE = "";
// Longer code is no function that somebody pastes: _clinic.py has the same number.
const LONGEST = 50_000;
// After so many milliseconds it may be an endless loop.
const LONG = 15_000;
const IN_ADDRESS = "#clinic=";

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const text = (value) => (typeof value === "string" ? value : "");
const texts = (value) => (Array.isArray(value) ? value.map(text) : []);
const objects = (value) =>
  Array.isArray(value) ? value.filter((each) => each && typeof each === "object") : [];

/* Code in an address: compressed, and written with letters that an address may hold */

async function through(bytes, transform, most = Infinity) {
  const chunks = [];
  let size = 0;
  const reader = new Blob([bytes]).stream().pipeThrough(transform).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer());
    size += value.length;
    if (size > most) {
      await reader.cancel();
      throw new Error("too large");
    }
    chunks.push(value);
  }
}

async function packed(asked) {
  const bytes = new TextEncoder().encode(JSON.stringify(asked));
  const small = await through(bytes, new CompressionStream("deflate-raw"));
  const letters = Array.from(small, (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function unpacked(letters) {
  if (letters.length > LONGEST) throw new Error("too large");
  const bytes = atob(letters.replaceAll("-", "+").replaceAll("_", "/"));
  const small = Uint8Array.from(bytes, (letter) => letter.charCodeAt(0));
  // A character of JSON takes at most six bytes.
  const all = await through(small, new DecompressionStream("deflate-raw"), 6 * LONGEST);
  const asked = JSON.parse(new TextDecoder().decode(all));
  if (typeof asked?.code !== "string") throw new Error("no code");
  return { code: asked.code, kind: text(asked.kind) };
}

/* What an answer looks like */

const NUMBER = { nan: "NaN", inf: "∞", "-inf": "−∞" };

// Three digits, as short as they are.
function printed(value) {
  if (!Number.isFinite(value)) return NUMBER[String(value)] ?? NUMBER.nan;
  const size = Math.abs(value);
  const digits = size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(1) : value.toPrecision(3);
  const short = digits.includes(".") ? digits.replace(/\.?0+(?=e|$)/, "") : digits;
  return (Number(short) === 0 ? "0" : short).replaceAll("-", "−");
}

const numbers = (value) =>
  (Array.isArray(value) ? value.slice(0, 12) : []).map((each) =>
    typeof each === "number" ? each : { inf: Infinity, "-inf": -Infinity }[each] ?? NaN);

// A number needs this much room, in CSS pixels.
const ROOM = 38;

// What is not finite has no bar, only its number.
function draw(chart, { yours, right, labels }) {
  const roomy = (chart.svg.clientWidth / yours.length - 6) / 2 >= ROOM;
  const all = [yours, right];
  const finite = all.flat().filter(Number.isFinite);
  const reach = Math.max(0, ...finite.map(Math.abs)) || 1;
  const [lowest, highest] = [Math.min(...finite, 0), Math.max(...finite, 0)];
  chart.draw(all.map((values) => values.map((each) => (Number.isFinite(each) ? each : 0))), {
    labels,
    lowest: lowest < 0 ? Math.min(1.05 * lowest, -0.2 * reach) : 0,
    highest: Math.max(1.05 * highest, 0.05 * reach),
    printed: (_, i, k) => (roomy ? printed(all[k][i]) : ""),
  });
}

function exampleFigure(example, BarChart) {
  const [yours, right] = [numbers(example.yours), numbers(example.right)];
  // Labels of places, as 0 or 0,1.
  const labels = texts(example.labels).map((each) => each.replace(/[^\d,]/g, ""));
  const row = numbers(example.row).join(", ");
  const key = element("span", { className: "clinic-key" });
  for (const look of ["wrong", "solid"]) {
    const words = look === "wrong" ? "yours" : "right";
    key.append(element("span", { className: `clinic-swatch clinic-${look}` }), words);
  }
  const where = row ? ` part ${row}:` : "";
  const said = `Yours ${text(example.yours_text)}, right ${text(example.right_text)}.`;
  // Where there are many bars, they have no numbers.
  const className = yours.length > 4 ? "clinic-note" : "sg-unseen";
  const box = element("div", { className: "clinic-bars" });
  const figure = element(
    "figure",
    { className: "clinic-example" },
    element("figcaption", {}, `For ${text(example.call)}:${where} `, key),
    box,
    element("p", { className }, said),
  );
  const chart = new BarChart(box, {
    title: "", low: 0, high: 1, classes: yours.length,
    series: [{ look: "wrong" }, { look: "solid" }],
  });
  new ResizeObserver(() => draw(chart, { yours, right, labels })).observe(box);
  return figure;
}

const PAGE = /^[\w-]+$/;

function linkList(links) {
  const list = element("ul", { className: "clinic-links" });
  for (const { page, anchor, text: words } of objects(links)) {
    if (!PAGE.test(page) || !(anchor === "" || PAGE.test(anchor))) continue;
    const link = element("a", { href: `${page}.html${anchor && `#${anchor}`}` }, text(words));
    list.append(element("li", {}, link));
  }
  return list;
}

const WORDS = { wrong: "The mistake, as code", right: "The right line" };

function codeBlock(words, code) {
  const pre = element("pre", { tabIndex: 0 }, element("code", {}, text(code)));
  return element("div", { className: "clinic-line" }, element("p", {}, words), pre);
}

function parts(answer, BarChart, choose) {
  const verdict = ["right", "convention"].find((each) => each === answer.verdict) ?? "wrong";
  const state = answer.state === "report" ? verdict : "asks";
  const sentence = element(
    "p",
    { className: `clinic-sentence clinic-${state}` },
    text(answer.sentence),
  );
  const made = [sentence];
  if (text(answer.code)) made.push(codeBlock("It reads", answer.code));
  if (text(answer.command)) made.push(codeBlock("In a shell", answer.command));
  const choices = element("div", { className: "live-bar" });
  for (const { kind, words } of objects(answer.choices)) {
    const button = element("button", { type: "button" }, text(words));
    button.addEventListener("click", () => choose(text(kind)));
    choices.append(button);
  }
  if (choices.childNodes.length) made.push(choices);
  if (text(answer.kind_words)) {
    const how = answer.guessed ? ", by its names and by what it returns" : "";
    made.push(element("p", { className: "clinic-kind-words" }, `Taken for ${answer.kind_words}${how}.`));
  }
  if (numbers(answer.example?.yours).length && Array.isArray(answer.example.right)) {
    made.push(exampleFigure(answer.example, BarChart));
  }
  for (const { word, code } of objects(answer.lines).slice(-1)) {
    made.push(codeBlock(WORDS[word] ?? "", code));
  }
  const links = linkList(answer.links);
  if (links.childNodes.length) made.push(links);
  for (const note of texts(answer.notes)) made.push(element("p", { className: "clinic-note" }, note));
  if (text(answer.report)) {
    const pre = element("pre", { tabIndex: 0 }, answer.report);
    made.push(element("details", {}, element("summary", {}, "The full report"), pre));
  }
  return made;
}

/* The clinic of a page */

class Clinic {
  constructor(root, python, BarChart) {
    Object.assign(this, { root, python, BarChart });
    const find = (selector) => root.querySelector(selector);
    this.field = find("textarea");
    this.host = find(".clinic-code");
    this.area = find(".clinic-answer");
    this.runButton = find(".clinic-run");
    this.stopButton = find(".clinic-stop");
    this.kinds = find(".clinic-kind");
    this.functions = find(".clinic-function");
    this.status = find(".live-status");
    this.announcer = element("div", { className: "live-announcer", role: "status" });
    this.mark = element("p", { className: "live-mark", hidden: true });
    this.area.before(this.mark);
    root.append(this.announcer);
    const { examples, answer } = JSON.parse(find(".clinic-stored").textContent);
    this.examples = examples;
    this.view = null;
    this.busy = false;
    this.foreign = false; // whether the code came with an address
    this.show(answer);
    root.classList.add(python ? "clinic-ready" : "clinic-unable");
    if (!python) return;
    this.field.readOnly = false;
    this.begin(find(".clinic-examples"), find(".clinic-link"));
    this.open();
  }

  begin(examples, link) {
    this.runButton.addEventListener("click", () => this.diagnose());
    this.stopButton.addEventListener("click", () => this.python.stop({ stopped: true }));
    for (const select of [this.kinds, this.functions]) {
      select.addEventListener("change", () => this.ask());
    }
    examples.addEventListener("change", () => {
      const code = this.examples[examples.value];
      if (!code) return;
      this.foreign = false;
      this.take({ code: code.trimEnd() });
      examples.value = CHOOSE;
    });
    link.hidden = !window.CompressionStream;
    link.addEventListener("click", () => this.copyLink());
    this.field.addEventListener("input", () => this.changed());
    this.field.addEventListener("focus", () => this.loadEditor());
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.shiftKey || event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.diagnose();
      }
    });
    window.addEventListener("hashchange", () => this.open());
  }

  code() {
    return this.view ? this.view.state.doc.toString() : this.field.value;
  }

  asked() {
    const name = this.functions.hidden ? "" : this.functions.value;
    return { code: this.code(), kind: this.kinds.value || null, name: name || null };
  }

  // The editor comes when somebody wants to write; what was typed until then stays.
  async loadEditor() {
    if (this.loading) return;
    this.loading = true;
    try {
      const { createEditor } = await import(versioned("editor.mjs"));
      const { value, selectionStart: anchor, selectionEnd: head } = this.field;
      const focused = document.activeElement === this.field;
      const box = element("div", { className: "live-editor" });
      this.host.append(box);
      this.view = createEditor(box, value, {
        label: this.field.getAttribute("aria-label"),
        run: () => this.diagnose(),
        leave: () => this.runButton.focus(),
        change: () => this.changed(),
      });
      this.view.dispatch({ selection: { anchor, head } });
      this.view.contentDOM.tabIndex = 0; // the keyboard scrolls what is wide
      this.field.hidden = true;
      if (focused) this.view.focus();
    } catch {
      this.loading = false; // the field does as well
    }
  }

  take({ code, kind = GUESS }) {
    if (this.view) {
      const to = this.view.state.doc.length;
      this.view.dispatch({ changes: { from: 0, to, insert: code } });
    } else {
      this.field.value = code;
      this.field.rows = Math.min(20, code.split("\n").length);
    }
    this.kinds.value = kind;
    if (this.kinds.selectedIndex < 0) this.kinds.value = GUESS;
    this.changed();
  }

  // Of other code the function is another, and what is shown is of earlier code.
  changed() {
    this.functions.hidden = true;
    const stale = this.answered !== this.code() && this.area.childNodes.length > 0;
    this.root.classList.toggle("clinic-stale", stale);
    this.mark.hidden = !stale;
    this.mark.textContent = "Below is the answer to earlier code. Diagnose renews it.";
  }

  // A choice is a question, once the code has been answered.
  ask() {
    if (this.ran && this.answered === this.code()) this.diagnose();
  }

  announce(words) {
    this.announcer.textContent = words;
  }

  setBusy(busy) {
    this.busy = busy;
    this.runButton.setAttribute("aria-disabled", String(busy));
    if (!busy && document.activeElement === this.stopButton) this.runButton.focus();
    this.stopButton.hidden = !busy;
    this.root.dataset.state = busy ? "busy" : "done";
  }

  async diagnose() {
    if (this.busy) return;
    const asked = this.asked();
    if (asked.code.length > LONGEST) {
      this.show({ state: "function", sentence: `This is too long: at most ${LONGEST} characters.` });
      return;
    }
    this.setBusy(true);
    this.announce("Examining");
    const begun = performance.now();
    let late = 0;
    const printedText = [];
    const result = await this.python.run(
      {
        // NumPy by name: what a package needs is not asked for again if it did not come.
        code: `import numpy\nfrom softmax_gradients import _clinic\nprint(_clinic.answer_as_text(${JSON.stringify(JSON.stringify(asked))}))`,
        name: "<clinic>",
        number: 1,
        stored: "",
        edited: false,
      },
      {
        output: ({ kind, data }) => printedText.push(kind === "stdout" ? data : ""),
        progress: (words) => {
          this.status.textContent = words === "Running" ? "Examining" : words;
          clearTimeout(late);
          late = setTimeout(() => {
            this.status.textContent += ": still at it. Stop ends an endless loop.";
          }, LONG);
        },
      },
    );
    clearTimeout(late);
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    this.setBusy(false);
    this.finish(result, printedText.join(""), asked, seconds);
  }

  finish(result, output, asked, seconds) {
    if (result.stopped) {
      this.status.textContent = "Stopped. Diagnose starts Python anew.";
      this.announce(this.status.textContent);
      return;
    }
    let answer;
    try {
      answer = Object(result.error ? { sentence: result.error } : JSON.parse(output));
    } catch {
      answer = { sentence: "The answer cannot be read: the code has changed it." };
    }
    this.status.textContent = `Done in ${seconds} s.`;
    this.ran = !result.error;
    // What a stranger's code may have changed in Python does not touch later answers.
    if (this.foreign) this.python.stop({ stopped: true });
    this.answered = asked.code;
    this.show(answer);
    this.announce(text(answer.sentence));
    this.area.scrollIntoView({ block: "nearest" });
    document.dispatchEvent(new CustomEvent("clinic-answer", { detail: answer }));
  }

  show(answer) {
    this.answered = this.code();
    this.area.replaceChildren(...parts(answer, this.BarChart, (kind) => {
      this.kinds.value = kind;
      this.ask();
    }));
    this.changed();
    const names = texts(answer.functions);
    this.functions.replaceChildren(...names.map((name) => new Option(name, name)));
    this.functions.value = text(answer.name);
    this.functions.hidden = names.length < 2;
  }

  async copyLink() {
    const { code, kind } = this.asked();
    const link = `${location.href.split("#")[0]}${IN_ADDRESS}${await packed({ code, kind })}`;
    try {
      await navigator.clipboard.writeText(link);
      this.status.textContent = "Copied. The link holds the code; no server keeps it.";
    } catch {
      history.replaceState(null, "", link);
      this.status.textContent = "Copying is not allowed here: the address of this page is the link now.";
    }
    this.announce(this.status.textContent);
  }

  // Code of an address is shown, and runs when its reader says so.
  async open() {
    if (!location.hash.startsWith(IN_ADDRESS)) return;
    try {
      const asked = await unpacked(location.hash.slice(IN_ADDRESS.length));
      this.ran = false;
      this.foreign = true;
      this.area.replaceChildren();
      this.take(asked);
      this.status.textContent =
        "This code is from the link that was opened. Read it: it runs in your browser when you press Diagnose.";
    } catch {
      this.status.textContent = "The code in this address cannot be read.";
    }
    this.announce(this.status.textContent);
  }
}

// A page opened as a file may start no worker: it shows the stored answer.
const able = window.Worker && window.WebAssembly && location.protocol !== "file:";

async function start(root) {
  const bars = document.querySelector("script[src*='explorer/pictures.mjs']").src;
  const [{ createPython }, { BarChart }] = await Promise.all([
    import(versioned("python.mjs")),
    import(bars),
  ]);
  const python = able && createPython(versioned("worker.mjs"), { press: "Diagnose" });
  return new Clinic(root, python, BarChart);
}

document.querySelectorAll(".clinic").forEach(start);
