// Python in a web worker: loads Pyodide once, then runs the cells that it is sent.
//
// In:  {id, code, name}
// Out: {kind: "progress", id, text}, {kind: "output", id, output},
//      {kind: "done", id, error, lost}: with `lost`, this worker is of no more use
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

async function text(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address.pathname}: ${response.status}`);
  return response.text();
}

async function start() {
  send({ kind: "progress", text: "Loading Python, once for this page" });
  const [helper, backend, { loadPyodide }] = await Promise.all([
    text(here("live_helper.py")),
    text(here("live_backend.py")),
    import("./pyodide/pyodide.mjs"),
  ]);
  const folder = new URL("pyodide/", import.meta.url).href;
  const python = await loadPyodide({
    indexURL: folder,
    packageBaseUrl: folder,
    lockFileURL: here("lock.json").href,
    env: { HOME: "/home/pyodide", MPLBACKEND: "module://live_backend" },
  });
  python._api.on_fatal = fail;
  python.registerJsModule("live_page", {
    emit: (kind, data) => send({ kind: "output", output: { kind, data } }),
  });
  python.FS.writeFile("/home/pyodide/live_helper.py", helper);
  python.FS.writeFile("/home/pyodide/live_backend.py", backend);
  return { python, helper: python.pyimport("live_helper") };
}

// A chapter reads data/NAME beside itself.
async function fetchData(python, code) {
  for (const [, name] of code.matchAll(/["']data\/([\w.-]+)["']/g)) {
    const response = await fetch(here(`data/${name}`));
    if (!response.ok) continue; // Python says that there is no such file
    python.FS.mkdirTree("data");
    python.FS.writeFile(`data/${name}`, new Uint8Array(await response.arrayBuffer()));
  }
}

let started = null;

async function runCell(code, name) {
  started ??= start();
  started.catch(fail);
  const { python, helper } = await started;
  const missing = [];
  await python.loadPackagesFromImports(helper.imports(code), {
    messageCallback: () => {},
    errorCallback: (message) => missing.push(message),
  });
  if (missing.length) throw new Error(missing.join("\n"));
  await fetchData(python, code);
  send({ kind: "progress", text: "Running" });
  return (await helper.run(code, name)) ?? null;
}

async function run({ id, code, name }) {
  running = id;
  const told = (reason) => String(reason.message ?? reason);
  let error;
  try {
    error = await Promise.race([runCell(code, name), failed]);
  } catch (reason) {
    // Python's own errors come back as text; this is the page's, or a lost connection.
    error = told(reason);
  }
  if (failure) error = told(failure);
  send({ kind: "done", error, lost: Boolean(failure) });
}

let queue = Promise.resolve();
self.onmessage = ({ data }) => {
  queue = queue.then(() => run(data));
};
