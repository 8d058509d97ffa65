// Python in a web worker: loads Pyodide once, then runs the cells that it is sent.
//
// In:  {id, code, name, number, before, stored, edited}, as in live_helper.py
// Out: {kind: "progress", id, text}, {kind: "output", id, output},
//      {kind: "done", id, error, loading, lost}: with `loading`, a file did not come;
//      with `lost`, this worker is of no more use
const here = (name) => new URL(name + self.location.search, import.meta.url);
let running = null;

const send = (message) => self.postMessage({ id: running, ...message });

// A Python that did not start, or that broke down, answers nobody: a cell that waits for
// it is told by this promise.
let failure = null;
let tell;
const failed = new Promise((resolve) => {
  tell = resolve;
});
function fail(reason) {
  failure ??= reason;
  tell();
}

// Pyodide only writes to the console that its machine code did not come, and waits.
const instantiate = WebAssembly.instantiateStreaming;
WebAssembly.instantiateStreaming = (...parts) => {
  const instance = instantiate(...parts);
  instance.catch(fail);
  return instance;
};

/* What is on its way, told as it comes */

// Of each file: its name for readers, the bytes of it that came, and all of them.
const coming = new Map();
let sizes = {};

function tellProgress() {
  const files = [...coming.values()];
  const sum = (key) => files.reduce((total, file) => total + file[key], 0) / 1e6;
  const names = [...new Set(files.map((file) => file.name))].join(", ");
  const amount = `${sum("came").toFixed(1)} of ${sum("all").toFixed(1)} MB`;
  send({ kind: "progress", text: `Loading ${names}: ${amount}` });
}

// A line carries fewer bytes than come out of what it carries: `sizes` has both.
function counted(response, file) {
  const size = sizes[file];
  if (!response.ok || !size) return response;
  // numpy-2.4.3-... is NumPy; the files without a version are Python's.
  const name = /-\d/.test(file) ? file.split("-")[0] : "Python";
  const state = { name, came: 0, all: size.sent };
  coming.set(file, state);
  let told = 0;
  const count = new TransformStream({
    transform(chunk, controller) {
      state.came += (chunk.length / size.stored) * size.sent;
      controller.enqueue(chunk);
      if (performance.now() - told > 200) {
        told = performance.now();
        tellProgress();
      }
    },
    flush() {
      state.came = size.sent;
      tellProgress();
    },
  });
  const { headers, status } = response;
  return new Response(response.body.pipeThrough(count), { headers, status });
}

const plainFetch = self.fetch.bind(self);
self.fetch = async (address, ...rest) => {
  const file = String(address.url ?? address).split("?")[0].split("/").at(-1);
  return counted(await plainFetch(address, ...rest), file);
};

async function text(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address.pathname}: ${response.status}`);
  return response.text();
}

async function start() {
  send({ kind: "progress", text: "Loading Python, once for this page" });
  const [helper, backend, known, { loadPyodide }] = await Promise.all([
    text(here("live_helper.py")),
    text(here("live_backend.py")),
    text(here("sizes.json")),
    import("./pyodide/pyodide.mjs"),
  ]);
  sizes = JSON.parse(known);
  const folder = new URL("pyodide/", import.meta.url).href;
  const python = await loadPyodide({
    indexURL: folder,
    packageBaseUrl: folder,
    lockFileURL: here("lock.json").href,
    env: { HOME: "/home/pyodide", MPLBACKEND: "module://live_backend" },
  });
  coming.clear();
  python._api.on_fatal = fail;
  python.registerJsModule("live_page", {
    emit: (kind, data) => send({ kind: "output", output: { kind, data } }),
  });
  python.FS.writeFile("/home/pyodide/live_helper.py", helper);
  python.FS.writeFile("/home/pyodide/live_backend.py", backend);
  return { python, helper: python.pyimport("live_helper") };
}

let started = null;

// Loads what a cell needs, and gives the helper.
async function load({ code, number }) {
  started ??= start();
  started.catch(fail);
  const { python, helper } = await started;
  const missing = [];
  await python.loadPackagesFromImports(helper.imports(code, number), {
    messageCallback: () => {},
    errorCallback: (message) => missing.push(message),
  });
  coming.clear();
  if (missing.length) throw new Error(missing.join("\n"));
  return helper;
}

async function runCell(helper, { code, name, number, before, stored, edited }) {
  send({ kind: "progress", text: "Running" });
  const asked = [code, name, number, before ?? undefined, stored, edited];
  return (await helper.run(...asked)) ?? null;
}

async function run(cell) {
  running = cell.id;
  const told = (reason) => String(reason.message ?? reason);
  let loading = true;
  let error;
  try {
    const helper = await Promise.race([load(cell), failed]);
    if (!failure) {
      loading = false;
      error = await Promise.race([runCell(helper, cell), failed]);
    }
  } catch (reason) {
    // Python's own errors come back as text; this is the page's, or a lost connection.
    error = told(reason);
  }
  if (failure) error = told(failure);
  send({ kind: "done", error, loading, lost: Boolean(failure) });
}

let queue = Promise.resolve();
self.onmessage = ({ data }) => {
  queue = queue.then(() => run(data));
};
