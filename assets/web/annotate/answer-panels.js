// The pieces of the annotating page that open above it: skipping, writing, guidelines, help.
window.StudioPanels = (() => {
  const { REASONS, HELP, LEAD_HELP } = window.StudioWords;
  const element = (tag, className = "", text = "", attributes = {}) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const button = (act, key, text, className = "", title = "") => {
    const made = element("button", `an-button ${className}`, "", { type: "button", "data-act": act });
    if (key) made.append(element("kbd", "", key));
    made.append(element("span", "", text));
    if (title) made.title = title;
    // What is only a sign is named.
    if (title && !/\p{L}/u.test(text)) made.setAttribute("aria-label", title);
    return made;
  };

  const skipPanel = (parts) => {
    const made = element("form", "an-skip", "", { hidden: "", "aria-label": "Why skip" });
    const reasons = element("div", "an-reasons");
    REASONS.forEach((reason, index) => {
      const choice = button("skip-reason", String(index + 1), reason);
      choice.dataset.reason = reason;
      reasons.append(choice);
    });
    parts.reason = element("input", "", "", {
      type: "text", maxlength: "500", placeholder: "or in your own words", "aria-label": "Reason",
    });
    const row = element("div", "an-row");
    row.append(parts.reason, button("skip-send", "↵", "Skip"), button("skip-cancel", "Esc", "Back"));
    made.append(element("b", "", "Why skip this pair?"), reasons, row);
    parts.skip = made;
    return made;
  };

  // One panel for every text: the edited answer, the ideal one, a comment.
  const editorPanel = (parts) => {
    const made = element("form", "an-skip an-editor", "", { hidden: "" });
    parts.editorTitle = element("b");
    parts.editorText = element("textarea", "", "", { rows: "7", maxlength: "8000", dir: "auto" });
    const row = element("div", "an-row");
    parts.editorSave = button("editor-save", "↵", "", "primary");
    row.append(parts.editorSave, button("editor-cancel", "Esc", "Back"),
      element("small", "", "Shift+Enter: a new line. Ctrl+Enter saves too."));
    made.append(parts.editorTitle, parts.editorText, row);
    parts.editor = made;
    return made;
  };

  const guidelinesPanel = (parts) => {
    const made = element("aside", "an-guidelines", "", {
      hidden: "", tabindex: "0", "aria-label": "Guidelines",
    });
    parts.guidelinesText = element("div", "an-prose");
    const head = element("header", "");
    parts.guidelinesTitle = element("b", "", "Guidelines");
    head.append(parts.guidelinesTitle, button("guidelines", "L", "Close", "quiet"));
    made.append(head, parts.guidelinesText);
    parts.guidelines = made;
    return made;
  };

  const helpDialog = () => {
    const made = element("dialog", "an-help", "", { "aria-label": "Keys" });
    const list = element("dl");
    const add = (lines, className) => {
      for (const [keys, text] of lines) {
        const term = element("dt", className);
        for (const key of keys.split("  ")) term.append(element("kbd", "", key));
        list.append(term, element("dd", className, text));
      }
    };
    add(HELP, "");
    add(LEAD_HELP, "an-lead");
    made.append(element("h3", "", "Keys"), list, button("help-close", "Esc", "Close"));
    return made;
  };

  return { element, button, skipPanel, editorPanel, guidelinesPanel, helpDialog };
})();
