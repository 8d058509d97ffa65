// Python for a page: a worker that the first run starts, and what is asked of it.

// Before a file is asked for again, in milliseconds.
const PAUSES = [500, 2000];

// `address` is the worker's, `press` the name of the button that runs; `forget` is
// called when Python ends, with all its variables.
export function createPython(address, { press, forget = () => {} }) {
  return {
    worker: null,
    waiting: new Map(),
    count: 0,

    start() {
      this.worker = new Worker(address, { type: "module" });
      this.worker.onmessage = ({ data }) => {
        const asker = this.waiting.get(data.id);
        const { error, loading } = data;
        if (data.kind === "progress") asker?.progress(data.text);
        else if (data.kind === "output") asker?.output(data.output);
        else if (data.lost) this.lose(error, loading);
        else if (data.kind === "done") this.finish(data.id, { error, loading });
      };
      this.worker.onerror = (event) => {
        event.preventDefault();
        this.lose(event.message || "its script did not load", true);
      };
    },

    // The next run starts a new one.
    lose(why, loading) {
      const text = `Python was lost, with all variables. ${press} starts it anew.\n${why}`;
      this.stop({ error: loading ? why : text, loading });
    },

    ask(request, handlers) {
      if (!this.worker) this.start();
      const id = ++this.count;
      return new Promise((done) => {
        this.waiting.set(id, { ...handlers, done });
        this.worker.postMessage({ ...request, id });
      });
    },

    // A file that does not come is asked for again, after a pause.
    async run(request, handlers) {
      for (const [attempt, pause] of PAUSES.entries()) {
        const result = await this.ask(request, handlers);
        if (!result.error || !result.loading) return result;
        this.stopped = false;
        handlers.progress(
          `A file did not come. Trying again, ${attempt + 2} of ${PAUSES.length + 1}`,
        );
        await new Promise((resolve) => setTimeout(resolve, pause));
        if (this.stopped) return { stopped: true };
      }
      const result = await this.ask(request, handlers);
      if (!result.error || !result.loading) return result;
      const why =
        "A file that Python needs did not come, in three attempts. The connection may " +
        `be down, or the site busy. ${press} tries again; no reload is needed.`;
      return { ...result, error: `${why}\n${result.error}` };
    },

    finish(id, result) {
      const asker = this.waiting.get(id);
      this.waiting.delete(id);
      asker?.done(result);
    },

    stop(result) {
      this.stopped = true;
      forget();
      this.worker?.terminate();
      this.worker = null;
      for (const id of [...this.waiting.keys()]) this.finish(id, result);
    },
  };
}
