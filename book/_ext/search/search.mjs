// Finds sections of the book by the index of Pagefind, and shows them page by page.
//
// A section is found by any of the words; rare words count more. The order of pages is
// that of their best sections.

const root = new URL("../", import.meta.url);
// Words that say nothing of what is looked for, unless there are no others.
const EMPTY = new Set(
  (
    "a an and are as at be by can do does for from how i if in is it my of on or that " +
    "the this to was what when where which why with"
  ).split(" "),
);
const MOST_PAGES = 12;
const MOST_SECTIONS = 3;

let loaded = null;

function load() {
  loaded ??= import(new URL("pagefind/pagefind.js", root)).then(async (pagefind) => {
    // An entry of the catalogue is short, and not for that reason what was meant.
    const ranking = { pageLength: 0.1 };
    await pagefind.options({ excerptLength: 24, ranking });
    const all = await pagefind.search(null);
    return { pagefind, count: all.results.length };
  });
  return loaded;
}

// For each word the sections that have it, from 0 to 1, times how rare it is.
async function scores(query) {
  const { pagefind, count } = await load();
  const all = [...new Set(query.toLowerCase().split(/\s+/).filter(Boolean))];
  const telling = all.filter((word) => !EMPTY.has(word));
  const words = telling.length ? telling : all;
  const found = new Map();
  for (const word of words) {
    const { results } = await pagefind.search(word);
    const rarity = Math.log((count + 1) / (results.length + 1));
    const best = Math.max(...results.map(({ score }) => score));
    for (const result of results) {
      const entry = found.get(result.id) ?? { result, score: 0, matched: 0 };
      entry.score += (rarity * result.score) / best;
      entry.matched += rarity;
      found.set(result.id, entry);
    }
  }
  const full = Math.max(...[...found.values()].map(({ matched }) => matched));
  for (const entry of found.values()) entry.score *= entry.matched / full;
  return [...found.values()].sort((a, b) => b.score - a.score);
}

/* Give the pages that have these words: each with its name and its best sections. */
export async function find(query) {
  const pages = new Map();
  for (const { result } of (await scores(query)).slice(0, 60)) {
    const { meta, excerpt } = await result.data();
    const url = new URL(meta.place, root).href;
    const name = url.split("#")[0];
    if (!pages.has(name)) pages.set(name, []);
    const sections = pages.get(name);
    if (sections.length < MOST_SECTIONS) {
      sections.push({ url, title: meta.title, above: meta.above ?? "", excerpt });
    }
  }
  return [...pages.values()].slice(0, MOST_PAGES);
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function shown({ url, title, above, excerpt }) {
  const link = element("a", { href: url, textContent: title });
  const place = above ? element("span", { className: "search-place" }, ` ${above}`) : "";
  // The index is made from the text of the book, with what is HTML in it escaped.
  const words = element("p", { className: "context", innerHTML: excerpt });
  return element("li", {}, link, place, words);
}

async function show(query, box) {
  document.title = document.title.replace(/^.*?(?=Search)/, query ? `${query}: ` : "");
  if (!query) return box.replaceChildren();
  let pages;
  try {
    pages = await find(query);
  } catch {
    return box.replaceChildren("The index of the search did not load. Try again.");
  }
  const sections = pages.flat();
  const none =
    "No section has these words. The glossary and the contents list what there is.";
  const summary = sections.length
    ? `${sections.length} sections on ${pages.length} pages, best first.`
    : none;
  const list = element("ul", { className: "search" }, ...sections.map(shown));
  return box.replaceChildren(
    element("p", { className: "search-summary", textContent: summary }),
    list,
  );
}

function begin(box) {
  const field = box.parentElement.querySelector("input[type=search]");
  const asked = new URLSearchParams(location.search).get("q");
  // On the page for a wrong address: the words of the address.
  const last = decodeURIComponent(location.pathname.split("/").at(-1));
  const words = last.replace(/\.html?$/, "").replace(/[-_]+/g, " ");
  const query = asked ?? (box.dataset.fromAddress === undefined ? "" : words);
  field.value = query;
  show(query, box);
  let latest = 0;
  field.addEventListener("input", () => {
    const now = ++latest;
    setTimeout(() => now === latest && show(field.value.trim(), box), 200);
  });
  field.focus();
}

const box = document.getElementById("search-results");
if (box) begin(box);
