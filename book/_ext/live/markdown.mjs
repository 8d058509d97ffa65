// Markdown outputs as HTML: CommonMark with tables and $...$, and no raw HTML.
// esbuild makes one file of this and of markdown-it, whose Python port reads the book.
import MarkdownIt from "markdown-it";

const FORMULA = /\$\$([^$]+)\$\$|\$(?!\s)([^$]+)(?<!\s)\$(?!\d)/y;

// A notebook links to the other pages' sources; on the site they end in .html.
const onSite = (address) => address.replace(/^([\w-]+)\.(?:md|ipynb)(?=#|$)/, "$1.html");

export function render(text, katex) {
  const markdown = new MarkdownIt("commonmark", { html: false }).enable("table");

  markdown.inline.ruler.after("escape", "formula", (state, silent) => {
    FORMULA.lastIndex = state.pos;
    const found = FORMULA.exec(state.src);
    if (!found) return false;
    if (!silent) {
      const token = state.push("formula", "", 0);
      token.content = found[1] ?? found[2];
      token.meta = { displayMode: Boolean(found[1]) };
    }
    state.pos += found[0].length;
    return true;
  });
  markdown.renderer.rules.formula = (tokens, index) =>
    katex.renderToString(tokens[index].content, {
      ...tokens[index].meta,
      throwOnError: false,
    });

  const normalise = markdown.normalizeLink;
  markdown.normalizeLink = (address) => normalise(onSite(address));
  return markdown.render(text);
}
