// Python in a web worker: loads Pyodide once, then runs the cells that it is sent.
//
// In:  {id, code, name}
// Out: {kind: "progress", id, text}, {kind: "output", id, output}, {kind: "done", id, error}
const here = (name) => new URL(name + self.location.search, import.meta.url);
let running = null;

const send = (message) => self.postMessage({ id: running, ...message });

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

async function run({ id, code, name }) {
  running = id;
  let error = null;
  try {
    started ??= start();
    const { python, helper } = await started;
    const missing = [];
    await python.loadPackagesFromImports(helper.imports(code), {
      messageCallback: () => {},
      errorCallback: (message) => missing.push(message),
    });
    if (missing.length) throw new Error(missing.join("\n"));
    await fetchData(python, code);
    send({ kind: "progress", text: "Running" });
    error = (await helper.run(code, name)) ?? null;
  } catch (failure) {
    // Python's own errors come back as text; this is the page's, or a lost connection.
    error = String(failure.message ?? failure);
  }
  send({ kind: "done", error });
}

let queue = Promise.resolve();
self.onmessage = ({ data }) => {
  queue = queue.then(() => run(data));
};
