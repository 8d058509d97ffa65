/* Run, Edit, Reset and Stop for the code cells of a page.
 *
 * Python runs in a web worker that is started by the first Run; until then this file
 * is all that a page loads. A cell's outputs come where its stored ones were, which
 * stay until the first new one. Without web workers or WebAssembly the page is left
 * as it is.
 *
 * What a cell shows is what a run from the top gives. Its trail is the code of all
 * cells down to it: a cell whose trail has changed since it ran runs again before those
 * below it, and its output is marked until then.
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

  /* Python, whose script comes with the first run */

  const python = {
    engine: null,
    stops: 0,

    async run(request, handlers) {
      const before = this.stops;
      try {
        const { createPython } = await loadModule("python.mjs");
        this.engine ??= createPython(versioned("worker.mjs"), { press: "Run", forget });
      } catch (reason) {
        return { error: `The script that runs Python did not come.\n${reason.message}` };
      }
      if (this.stops > before) return { stopped: true };
      return this.engine.run(request, handlers);
    },

    stop() {
      this.stops += 1;
      this.engine?.stop({ stopped: true });
    },
  };

  // Variables are gone: no cell has run.
  function forget() {
    for (const cell of cells) cell.ran = null;
  }

  /* Outputs, in the mark-up of the stored ones */

  // Lines of printed text that are shown at full height.
  const LONG_OUTPUT = 60;

  function textOutput(name, text) {
    const pre = element("pre", {}, text);
    const highlight = element("div", { className: "highlight" }, pre);
    const classes = `output ${name} highlight-myst-ansi notranslate`;
    return element("div", { className: classes }, highlight);
  }

  const DIFFERS =
    "This check holds for the numbers printed in the book; your numbers differ, so it " +
    "fails. The rest goes on.";

  function checkOutput(text) {
    const code = element("code", {}, text.trim());
    return element("div", { className: "output live-check" }, `${DIFFERS} `, code);
  }

  async function formulaOutput(box, tex) {
    const formula = element("div", { className: "formula", tabIndex: 0 });
    const source = tex.replace(/^\s*(\$\$?|\\\[)|(\$\$?|\\\])\s*$/g, "");
    const katex = await loadKatex();
    katex.render(source, formula, { displayMode: true, throwOnError: false });
    box.replaceChildren(formula);
  }

  async function markdownOutput(box, text) {
    const [katex, markdown] = await Promise.all([
      loadKatex(),
      loadModule("markdown.mjs"),
    ]);
    box.innerHTML = markdown.render(text, katex);
  }

  const shownLater = (box, text, rendering) => {
    box.textContent = text; // until it is rendered, or where that fails
    rendering.catch(() => {});
    return box;
  };

  function render(cell, { kind, data }) {
    if (kind === "stdout") return textOutput("stream", data);
    if (kind === "check") return checkOutput(data);
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
  const coarse = window.matchMedia("(pointer: coarse)");
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
      const pre = this.input.querySelector("pre");
      this.code = pre.textContent.replace(/\n$/, "");
      this.coloured = [...pre.childNodes];
      this.area = root.querySelector(":scope > .cell_output");
      this.stored = this.area ? [...this.area.childNodes] : [];
      this.view = null;
      this.text = this.code;
      this.ran = null; // the trail of the last run in this Python, without an error
      this.shown = null; // the trail whose output is shown; null: that of the book
      this.addBar();
    }

    addBar() {
      const button = (text, action) => {
        const made = element("button", { type: "button", textContent: text });
        made.addEventListener("click", action);
        return made;
      };
      this.runButton = button("Run", () => enqueue(this));
      this.editButton = button("Edit", () => this.edit());
      this.resetButton = button("Reset", () => this.reset());
      this.stopButton = button("Stop", stop);
      this.stopButton.hidden = true;
      this.status = element("span", { className: "live-status" });
      this.mark = element("p", { className: "live-mark", hidden: true });
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
      this.bar.after(this.mark);
      this.root.classList.add("live");
      this.highlight.addEventListener("click", (event) => this.clicked(event));
      this.root.addEventListener("keydown", (event) => {
        const runs = event.key === "Enter" && (event.shiftKey || event.ctrlKey);
        if (runs && !event.defaultPrevented) {
          event.preventDefault();
          enqueue(this);
        }
      });
    }

    isEdited() {
      return this.text !== this.code;
    }

    // Whoever marks code, or opens a menu on it, does not mean to edit it; a finger that
    // scrolls does not either: for those there is the button.
    clicked(event) {
      const marked = !window.getSelection().isCollapsed;
      if (marked || event.target.closest("button, a") || coarse.matches) return;
      this.edit({ x: event.clientX, y: event.clientY });
    }

    // Code that was kept from an earlier visit, without loading the editor for it.
    take(text) {
      this.text = text;
      this.highlight.querySelector("pre").textContent = text;
      this.status.textContent = "Your edit of an earlier visit. Reset gives the book's.";
    }

    changed() {
      this.text = this.view.state.doc.toString();
      edits.keep();
      refresh();
    }

    async edit(place) {
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
      const at = place && this.view.posAtCoords(place);
      if (at) this.view.dispatch({ selection: { anchor: at } });
    }

    open(createEditor) {
      this.host = element("div", { className: "live-editor" });
      this.highlight.hidden = true;
      this.input.append(this.host);
      this.view = createEditor(this.host, this.text, {
        label: `${this.name}, Python`,
        run: () => enqueue(this),
        leave: () => this.editButton.focus(),
        change: () => this.changed(),
      });
    }

    reset() {
      if (this.root.dataset.live === "running") {
        this.status.textContent = "Running: stop it first.";
        return;
      }
      if (this.view) {
        this.view.destroy();
        this.view = null;
        this.host.remove();
        this.highlight.hidden = false;
      }
      if (this.isEdited()) this.highlight.querySelector("pre").replaceChildren(...this.coloured);
      this.text = this.code;
      this.area.replaceChildren(...this.stored);
      this.ran = this.shown = null;
      delete this.root.dataset.live;
      this.status.textContent = "";
      edits.keep();
      refresh();
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
      else if (this.request.edited) image.alt = `By edited code. Before: ${image.alt}`;
      return copy;
    }

    show(output) {
      if (!this.outputs.length) this.area.replaceChildren();
      const last = this.outputs.at(-1);
      if (last?.kind === output.kind && output.kind.startsWith("std")) {
        last.data += output.data;
        this.lines += output.data.split("\n").length - 1;
        const box = this.area.lastElementChild;
        box.querySelector("pre").append(output.data);
        // What is long scrolls in its own box.
        if (this.lines > LONG_OUTPUT && !box.classList.contains("live-long")) {
          box.classList.add("live-long");
          box.tabIndex = 0;
        }
        return;
      }
      this.lines = 0;
      const streams = output.kind.startsWith("std");
      const first = streams ? { kind: output.kind, data: "" } : { ...output };
      this.outputs.push(first);
      this.area.append(render(this, first));
      if (streams) this.show(output);
    }

    async run(progress) {
      const trail = trailOf(this);
      const index = cells.indexOf(this);
      this.request = {
        code: this.text,
        name: `<cell ${this.number}>`,
        number: this.number,
        before: cells[index - 1]?.number,
        stored: this.code,
        edited: cells.slice(0, index + 1).some((cell) => cell.isEdited()),
      };
      const begun = performance.now();
      this.outputs = [];
      this.figures = 0;
      this.ran = null;
      this.root.dataset.live = "running";
      const result = await python.run(this.request, {
        output: (output) => this.show(output),
        progress,
      });
      const differs = this.outputs.some(({ kind }) => kind === "check");
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      if (result.stopped) {
        this.root.dataset.live = "stopped";
        this.status.textContent = "Stopped. All variables are gone.";
      } else if (result.error === null) {
        if (!this.outputs.length) this.area.replaceChildren();
        this.root.dataset.live = differs ? "differs" : "done";
        this.ran = this.shown = trail;
        const check = differs ? ". A check of the book's numbers fails" : "";
        this.status.textContent = `Done in ${seconds} s${check}`;
      } else {
        this.show({ kind: "stderr", data: result.error });
        this.shown = trail;
        this.root.dataset.live = "error";
        this.status.textContent = `Error after ${seconds} s`;
      }
      const { number, outputs } = this;
      const detail = { number, state: this.root.dataset.live, outputs };
      document.dispatchEvent(new CustomEvent("live-cell", { detail }));
      refresh();
      return this.ran !== null;
    }

    // What a screen reader says of the result.
    summary() {
      const texts = { png: "a figure", html: "a table or other HTML", check: DIFFERS };
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

  /* What was changed, kept in this browser until it is reset */

  const edits = {
    place: `live-cells:${location.pathname}`,

    // Storage may be forbidden, or full: then nothing is kept.
    keep() {
      const changed = cells.filter((cell) => cell.isEdited());
      const kept = changed.map(({ number, code, text }) => ({ number, code, text }));
      bar.restoreButton.hidden = !kept.length;
      try {
        if (kept.length) localStorage.setItem(this.place, JSON.stringify(kept));
        else localStorage.removeItem(this.place);
      } catch {
        // as said above
      }
    },

    // An edit of code that the book has changed since is dropped.
    take() {
      let kept = [];
      try {
        kept = JSON.parse(localStorage.getItem(this.place)) ?? [];
      } catch {
        // as said above
      }
      for (const { number, code, text } of kept) {
        cells.find((cell) => cell.number === number && cell.code === code)?.take(text);
      }
      this.keep();
      refresh();
    },
  };

  /* Trails, and what is marked */

  // The code of all cells down to this one, in the book or as it is now.
  const joined = (cell, key) =>
    JSON.stringify(cells.slice(0, cells.indexOf(cell) + 1).map((other) => other[key]));
  const trailOf = (cell) => joined(cell, "text");

  function refresh() {
    for (const cell of cells) {
      const old = (cell.shown ?? joined(cell, "code")) !== trailOf(cell);
      const stale = old && cell.area.childNodes.length > 0;
      cell.root.classList.toggle("live-stale", stale);
      cell.mark.hidden = !stale;
      cell.mark.textContent = stale
        ? `Shown below is the output of ${
            cell.shown === null ? "the book's code" : "earlier code"
          }: Run renews it.`
        : "";
    }
  }

  /* One run at a time: a cell, after those above it that have not run as they are */

  const queue = [];

  async function enqueue(target) {
    if (queue.includes(target)) {
      announce(`${target.name} is waiting, or running.`);
      return;
    }
    queue.push(target);
    if (queue.length > 1) {
      target.status.textContent = "Waiting for the cell that runs";
      announce(`${target.name} runs next.`);
      return;
    }
    while (queue.length) {
      await runThrough(queue[0]);
      queue.shift();
    }
  }

  async function runThrough(target) {
    target.setBusy(true);
    announce(`Running ${target.name.toLowerCase()}`);
    try {
      const above = cells.slice(0, cells.indexOf(target));
      const running = (cell) => (text) => {
        const which = `cell ${cell.number} of ${total}`;
        const full = text === "Running" ? `Running ${which}` : `${text} (${which})`;
        target.status.textContent = full;
        cell.status.textContent = full;
      };
      for (const cell of above) {
        if (cell.ran === trailOf(cell)) continue;
        if (!(await cell.run(running(cell)))) {
          const why = `Not run: ${cell.name.toLowerCase()}, above, ${
            cell.root.dataset.live === "stopped" ? "was stopped" : "has an error"
          }.`;
          target.status.textContent = why;
          announce(why);
          return;
        }
      }
      await target.run(running(target));
      announce(`${target.name}: ${target.status.textContent}. ${target.summary()}`);
    } finally {
      target.setBusy(false);
    }
  }

  function stop() {
    for (const cell of queue.splice(1)) cell.status.textContent = "";
    python.stop();
  }

  /* The bar of the page, above its first cell */

  const bar = {
    add(place) {
      const button = (text, action) => {
        const made = element("button", { type: "button", textContent: text });
        made.addEventListener("click", action);
        return made;
      };
      this.restoreButton = button("Restore all", () => {
        stop();
        for (const cell of cells) {
          delete cell.root.dataset.live;
          cell.reset();
        }
        announce("All cells are as they were.");
      });
      this.restoreButton.hidden = true;
      const buttons = element(
        "div",
        { className: "live-bar", role: "group" },
        button("Run all", () => {
          for (const cell of cells) cell.ran = null;
          enqueue(cells.at(-1));
        }),
        button("Restart Python", () => {
          stop();
          announce("All variables are gone. The next Run starts Python anew.");
        }),
        this.restoreButton,
      );
      buttons.setAttribute("aria-label", "All code cells");
      place.prepend(buttons);
      place.classList.add("live-ready");
    },
  };

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

  let total = 0;

  function begin() {
    const roots = [...document.querySelectorAll("div.cell")].filter((root) =>
      root.querySelector(".cell_input pre"),
    );
    total = roots.length;
    const slow = [];
    roots.forEach((root, index) => {
      const number = index + 1;
      if (root.matches(".tag_no-live")) slow.push({ root, number });
      else cells.push(new Cell(root, number));
    });
    explainSlowCells(slow, roots[0]);
    bar.add(document.querySelector(".live-page"));
    edits.take();
    document.body.append(announcer);
  }

  // A page opened as a file may start no worker.
  const able = window.Worker && window.WebAssembly && location.protocol !== "file:";
  if (!able) {
    document.documentElement.classList.add("no-live-cells");
    return;
  }
  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", begin);
  } else {
    begin();
  }
})();
