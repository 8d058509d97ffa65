// The editor of a live cell. esbuild makes one file of this and of CodeMirror.
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import {
  bracketMatching,
  HighlightStyle,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap } from "@codemirror/view";
import { tags } from "@lezer/highlight";

// Colours are custom properties of live-cells.css, which has a light and a dark set.
const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword], color: "var(--live-keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--live-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--live-number)" },
  { tag: tags.comment, color: "var(--live-comment)" },
]);

// Tab moves on to the buttons, as everywhere on the page; Enter indents.
export function createEditor(parent, code, { label, run, leave, change }) {
  const act = (action) => () => {
    action();
    return true;
  };
  return new EditorView({
    parent,
    state: EditorState.create({
      doc: code,
      extensions: [
        history(),
        drawSelection(),
        EditorView.updateListener.of((update) => update.docChanged && change()),
        bracketMatching(),
        indentUnit.of("    "),
        python(),
        syntaxHighlighting(colours),
        keymap.of([
          { key: "Shift-Enter", run: act(run) },
          { key: "Mod-Enter", run: act(run) },
          { key: "Escape", run: act(leave) },
          ...defaultKeymap,
          ...historyKeymap,
        ]),
        EditorView.contentAttributes.of({
          "aria-label": label,
          autocapitalize: "off",
          autocorrect: "off",
          spellcheck: "false",
        }),
      ],
    }),
  });
}
