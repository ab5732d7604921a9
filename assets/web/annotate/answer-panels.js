// The panels that open above the pair: the reasons of a skip, and the editor of every text.
import { element } from "../shared/dom.js";
import { button } from "./page-elements.js";
import { SKIP_REASONS } from "./label-kinds.js";

/** Builds the panel of reasons to skip; returns the parts that change. */
export const skipPanel = () => {
  const skip = element("form", "an-skip", "", { hidden: "", "aria-label": "Why skip" });
  const reasons = element("div", "an-reasons");
  SKIP_REASONS.forEach((reason, index) => {
    const choice = button("skip-reason", String(index + 1), reason);
    choice.dataset.reason = reason;
    reasons.append(choice);
  });
  const reason = element("input", "", "", {
    type: "text", maxlength: "500", placeholder: "or in your own words", "aria-label": "Reason",
  });
  const row = element("div", "an-row");
  row.append(reason, button("skip-send", "↵", "Skip"), button("skip-cancel", "Esc", "Back"));
  skip.append(element("b", "", "Why skip this pair?"), reasons, row);
  return { skip, reason };
};

/** Builds one panel for every text: the edited answer, the ideal one, a comment. */
export const editorPanel = () => {
  const editor = element("form", "an-skip an-editor", "", { hidden: "" });
  const editorTitle = element("b");
  const editorText = element("textarea", "", "", { rows: "7", maxlength: "8000", dir: "auto" });
  const row = element("div", "an-row");
  const editorSave = button("editor-save", "↵", "", "primary");
  row.append(editorSave, button("editor-cancel", "Esc", "Back"),
    element("small", "", "Shift+Enter: a new line. Ctrl+Enter saves too."));
  editor.append(editorTitle, editorText, row);
  return { editor, editorTitle, editorText, editorSave };
};
