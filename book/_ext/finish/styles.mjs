// Takes out of style sheets the rules that no page and no script has a name for.
//
// Usage: node styles.mjs MODULES SITE SHEET...
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [modules, site, ...sheets] = process.argv.slice(2);
const { PurgeCSS } = createRequire(join(modules, "package.json"))("purgecss");

const results = await new PurgeCSS().purge({
  content: ["*.html", "book/*.html", "_static/**/*.js", "_static/**/*.mjs"].map(
    (names) => `${site}/${names}`,
  ),
  css: sheets,
  // Bootstrap puts the names of its tooltips together.
  safelist: { deep: [/^bs-tooltip/] },
});
for (const { file, css } of results) writeFileSync(file, css);
