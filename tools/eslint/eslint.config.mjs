// Rules for the site's scripts: what is a fault, and what hides one. Not layout.
import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    languageOptions: {
      ecmaVersion: "latest",
      sourceType: "module",
      globals: globals.browser,
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      "consistent-return": "error",
      "eqeqeq": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-param-reassign": "error",
      "no-self-compare": "error",
      // A name for what is not used, in the arguments of a callback.
      "no-shadow": ["error", { allow: ["_"] }],
      "no-throw-literal": "error",
      "no-unmodified-loop-condition": "error",
      "no-unused-expressions": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "no-useless-return": "error",
      "no-var": "error",
      "prefer-const": "error",
      "require-atomic-updates": "error",
    },
  },
  // Loaded by a page as they are, not as modules.
  { files: ["book/_static/*.js", "**/live-cells.js"], languageOptions: { sourceType: "script" } },
  { files: ["**/worker.mjs"], languageOptions: { globals: globals.worker } },
  // Run by Node.js when the book is built.
  {
    files: ["**/compile.mjs", "**/styles.mjs"],
    languageOptions: { globals: globals.node },
  },
];
