/* Run, Edit, Reset and Stop for the code cells of a page.
 *
 * Python runs in a web worker that is started by the first Run; until then this file
 * is all that a page loads. A cell's outputs come where its stored ones were, which
 * stay until the first new one. Without web workers or WebAssembly the page is left
 * as it is.
 *
 * Each finished cell sends the page the event "live-cell": its detail holds the cell's
 * number, its state and its outputs.
 */
(() => {
  "use strict";

  const script = document.currentScript;
  const address = (name) => new URL(name, script.src);
  const versioned = (name) => address(`${name}?v=${script.dataset.version}`);

  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  // What is loaded on demand is loaded once.
  const loaded = new Map();
  function once(name, load) {
    if (!loaded.has(name)) {
      const promise = load();
      promise.catch(() => loaded.delete(name));
      loaded.set(name, promise);
    }
    return loaded.get(name);
  }

  const loadModule = (name) => once(name, () => import(versioned(name)));

  function loadKatex() {
    const load = (resolve, reject) => {
      const tag = element("script", { src: versioned("katex.min.js") });
      tag.onload = () => resolve(window.katex);
      tag.onerror = () => reject(new Error("The formulas' script did not load."));
      document.head.append(tag);
    };
    return once("katex", () => new Promise(load));
  }

  /* Python */

  const python = {
    worker: null,
    waiting: new Map(),
    count: 0,

    start() {
      this.worker = new Worker(versioned("worker.mjs"), { type: "module" });
      this.worker.onmessage = ({ data }) => {
        const cell = this.waiting.get(data.id);
        if (data.kind === "progress") cell?.progress(data.text);
        else if (data.kind === "output") cell?.output(data.output);
        else if (data.lost) this.lose(data.error);
        else if (data.kind === "done") this.finish(data.id, { error: data.error });
      };
      this.worker.onerror = (event) => {
        event.preventDefault();
        this.lose(event.message || "its script did not load");
      };
    },

    // The next run starts a new one.
    lose(why) {
      const text = `Python was lost, with all variables. Run starts it anew.\n${why}`;
      this.stop({ error: text });
    },

    run(code, name, handlers) {
      if (!this.worker) this.start();
      const id = ++this.count;
      return new Promise((done) => {
        this.waiting.set(id, { ...handlers, done });
        this.worker.postMessage({ id, code, name });
      });
    },

    finish(id, result) {
      const cell = this.waiting.get(id);
      this.waiting.delete(id);
      cell?.done(result);
    },

    stop(result) {
      for (const cell of cells) cell.ran = null;
      this.worker?.terminate();
      this.worker = null;
      for (const id of [...this.waiting.keys()]) this.finish(id, result);
    },
  };

  /* Outputs, in the mark-up of the stored ones */

  function textOutput(name, text) {
    const pre = element("pre", {}, text);
    const highlight = element("div", { className: "highlight" }, pre);
    const classes = `output ${name} highlight-myst-ansi notranslate`;
    return element("div", { className: classes }, highlight);
  }

  async function formulaOutput(box, tex) {
    const formula = element("div", { className: "formula", tabIndex: 0 });
    const source = tex.replace(/^\s*(\$\$?|\\\[)|(\$\$?|\\\])\s*$/g, "");
    const katex = await loadKatex();
    katex.render(source, formula, { displayMode: true, throwOnError: false });
    box.replaceChildren(formula);
  }

  async function markdownOutput(box, text) {
    const [katex, { render }] = await Promise.all([
      loadKatex(),
      loadModule("markdown.mjs"),
    ]);
    box.innerHTML = render(text, katex);
  }

  const shownLater = (box, text, rendering) => {
    box.textContent = text; // until it is rendered, or where that fails
    rendering.catch(() => {});
    return box;
  };

  function render(cell, { kind, data }) {
    if (kind === "stdout") return textOutput("stream", data);
    if (kind === "stderr") return textOutput("stderr live-error", data);
    if (kind === "png") return cell.figure(data);
    if (kind === "html") {
      return element("div", { className: "output text_html", innerHTML: data });
    }
    if (kind === "latex") {
      const box = element("div", { className: "output text_latex math" });
      return shownLater(box, data, formulaOutput(box, data));
    }
    if (kind === "markdown") {
      const box = element("div", { className: "output text_markdown" });
      return shownLater(box, data, markdownOutput(box, data));
    }
    return textOutput("text_plain", data);
  }

  /* Cells */

  const cells = [];
  const announcer = element("div", { className: "live-announcer", role: "status" });
  const announce = (text) => {
    announcer.textContent = text;
  };

  class Cell {
    constructor(root, number) {
      this.root = root;
      this.number = number;
      this.name = `Code cell ${number}`;
      this.input = root.querySelector(".cell_input");
      this.highlight = this.input.querySelector(".highlight").parentElement;
      this.code = this.input.querySelector("pre").textContent.replace(/\n$/, "");
      this.area = root.querySelector(":scope > .cell_output");
      this.stored = this.area ? [...this.area.childNodes] : [];
      this.view = null;
      this.ran = null; // the code of the last run without an error
      this.addBar();
    }

    addBar() {
      const button = (text, action) => {
        const made = element("button", { type: "button", textContent: text });
        made.addEventListener("click", () => {
          if (made.getAttribute("aria-disabled") !== "true") action();
        });
        return made;
      };
      this.runButton = button("Run", () => runThrough(this));
      this.editButton = button("Edit", () => this.edit());
      this.resetButton = button("Reset", () => this.reset());
      this.stopButton = button("Stop", stop);
      this.stopButton.hidden = true;
      this.status = element("span", { className: "live-status" });
      this.bar = element(
        "div",
        { className: "live-bar", role: "group", ariaLabel: this.name },
        this.runButton,
        this.editButton,
        this.resetButton,
        this.stopButton,
        this.status,
      );
      this.bar.setAttribute("aria-label", this.name);
      (this.input.closest("details") ?? this.input).after(this.bar);
      if (!this.area) {
        this.area = element("div", { className: "cell_output docutils container" });
        this.bar.after(this.area);
      }
      this.root.classList.add("live");
      this.root.addEventListener("keydown", (event) => {
        const runs = event.key === "Enter" && (event.shiftKey || event.ctrlKey);
        if (runs && !event.defaultPrevented) {
          event.preventDefault();
          runThrough(this);
        }
      });
    }

    current() {
      return this.view ? this.view.state.doc.toString() : this.code;
    }

    isEdited() {
      return this.current() !== this.code;
    }

    async edit() {
      const folded = this.input.closest("details");
      if (folded) folded.open = true;
      if (!this.view) {
        this.status.textContent = "Loading the editor";
        try {
          const { createEditor } = await loadModule("editor.mjs");
          if (!this.view) this.open(createEditor);
          this.status.textContent = "Shift+Enter runs, Escape leaves the editor";
        } catch {
          this.status.textContent = "The editor did not load.";
          return;
        }
      }
      this.view.focus();
    }

    open(createEditor) {
      this.host = element("div", { className: "live-editor" });
      this.highlight.hidden = true;
      this.input.append(this.host);
      this.view = createEditor(this.host, this.code, {
        label: `${this.name}, Python`,
        run: () => runThrough(this),
        leave: () => this.editButton.focus(),
      });
    }

    reset() {
      if (plan) return;
      if (this.view) {
        this.view.destroy();
        this.view = null;
        this.host.remove();
        this.highlight.hidden = false;
      }
      this.area.replaceChildren(...this.stored);
      this.ran = null;
      delete this.root.dataset.live;
      this.status.textContent = "";
      announce(`${this.name} is as it was.`);
    }

    // A figure keeps its place, caption and number; only the picture is new.
    figure(data) {
      const source = `data:image/png;base64,${data}`;
      const stored = this.stored.filter((node) => node.querySelector?.("img"));
      const model = stored[this.figures++];
      const copy = model ? model.cloneNode(true) : element("img");
      const image = copy.matches("img") ? copy : copy.querySelector("img");
      image.removeAttribute("width");
      image.removeAttribute("height");
      image.src = source;
      if (!model) image.alt = `Figure drawn by ${this.name.toLowerCase()}`;
      else if (this.isEdited()) image.alt = `By edited code. Before: ${image.alt}`;
      return copy;
    }

    show(output) {
      if (!this.outputs.length) this.area.replaceChildren();
      const last = this.outputs.at(-1);
      if (last?.kind === output.kind && output.kind.startsWith("std")) {
        last.data += output.data;
        this.area.lastElementChild.querySelector("pre").append(output.data);
        return;
      }
      this.outputs.push({ ...output });
      this.area.append(render(this, output));
    }

    async run(progress) {
      const code = this.current();
      const begun = performance.now();
      this.outputs = [];
      this.figures = 0;
      this.root.dataset.live = "running";
      const result = await python.run(code, `<cell ${this.number}>`, {
        output: (output) => this.show(output),
        progress,
      });
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      if (result.stopped) {
        this.root.dataset.live = "stopped";
        this.status.textContent = "Stopped. All variables are gone.";
      } else if (result.error === null) {
        if (!this.outputs.length) this.area.replaceChildren();
        this.root.dataset.live = "done";
        this.ran = code;
        this.status.textContent = `Done in ${seconds} s`;
      } else {
        this.show({ kind: "stderr", data: result.error });
        this.root.dataset.live = "error";
        this.status.textContent = `Error after ${seconds} s`;
      }
      const { number, outputs } = this;
      const detail = { number, state: this.root.dataset.live, outputs };
      document.dispatchEvent(new CustomEvent("live-cell", { detail }));
      return this.root.dataset.live === "done";
    }

    // What a screen reader says of the result.
    summary() {
      const texts = { png: "a figure", html: "a table or other HTML" };
      const said = this.outputs.map(({ kind, data }) => texts[kind] ?? data.trim());
      const error = this.root.dataset.live === "error";
      const text = error ? said.at(-1).split("\n").at(-1) : said.join("; ");
      return text.length > 300 ? `${text.slice(0, 300)} and more` : text;
    }

    setBusy(busy) {
      const focused = this.stopButton === document.activeElement;
      this.stopButton.hidden = !busy;
      if (!busy && focused) this.runButton.focus();
    }
  }

  /* One run at a time: a cell, after those above it that have not run as they are. */

  let plan = null;

  function setPlan(cell) {
    plan = cell;
    for (const other of cells) {
      for (const button of [other.runButton, other.resetButton]) {
        button.setAttribute("aria-disabled", String(Boolean(cell)));
      }
    }
  }

  async function runThrough(target) {
    if (plan) return;
    setPlan(target);
    target.setBusy(true);
    announce(`Running ${target.name.toLowerCase()}`);
    try {
      const above = cells.slice(0, cells.indexOf(target));
      for (const cell of above.filter((cell) => cell.ran !== cell.current())) {
        const done = await cell.run((text) => {
          target.status.textContent = `${text} (cell ${cell.number}, above)`;
          cell.status.textContent = text;
        });
        if (!done) {
          const why = `Not run: ${cell.name.toLowerCase()}, above, ${
            cell.root.dataset.live === "stopped" ? "was stopped" : "has an error"
          }.`;
          target.status.textContent = why;
          announce(why);
          return;
        }
      }
      await target.run((text) => {
        target.status.textContent = text;
      });
      announce(`${target.name}: ${target.status.textContent}. ${target.summary()}`);
    } finally {
      target.setBusy(false);
      setPlan(null);
    }
  }

  const stop = () => python.stop({ stopped: true });

  /* Cells that take too long in a browser */

  function explainSlowCells(slow, first) {
    const reason = "it takes too long in a browser; its output is stored";
    for (const { root, number } of slow) {
      const text = `Code cell ${number} does not run in the page: ${reason}.`;
      root.append(element("p", { className: "live-note" }, text));
      root.classList.add("live");
    }
    if (!slow.length) return;
    const numbers = slow.map(({ number }) => number).join(", ");
    const [cell, does] = slow.length === 1 ? ["cell", "does"] : ["cells", "do"];
    const text = `Code ${cell} ${numbers} of this page ${does} not run in the page: `;
    first.before(element("p", { className: "live-note" }, `${text}${reason}.`));
  }

  function begin() {
    const roots = [...document.querySelectorAll("div.cell")].filter((root) =>
      root.querySelector(".cell_input pre"),
    );
    const slow = [];
    roots.forEach((root, index) => {
      const number = index + 1;
      if (root.matches(".tag_no-live")) slow.push({ root, number });
      else cells.push(new Cell(root, number));
    });
    explainSlowCells(slow, roots[0]);
    document.body.append(announcer);
  }

  // A page opened as a file may start no worker.
  const able = window.Worker && window.WebAssembly && location.protocol !== "file:";
  if (!able) return;
  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", begin);
  } else {
    begin();
  }
})();
