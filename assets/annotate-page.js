// What the annotating page looks like: builds its elements once and fills them with a pair.
// Text of datasets and models only ever goes through textContent.
window.StudioPage = (() => {
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
    return made;
  };
  const many = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

  const KEYS = {
    1: "left", 2: "right", t: "tie", g: "both_good", b: "both_bad", u: "unsure", s: "skip",
    z: "undo", "?": "help", "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", 0: "zoom-fit",
    ArrowLeft: "back", ArrowRight: "forward",
  };
  // The letter on the key cap, also on keyboards of other scripts.
  const plainKey = ({ key, code }) => {
    if (key.length > 1) return key;
    return /^[!-~]$/.test(key) ? key.toLowerCase() : code.replace(/^(Key|Digit)/, "").toLowerCase();
  };

  const WORDS = {
    tie: "Tie",
    both_good: "Both good",
    both_bad: "Both bad",
    unsure: "Can't tell",
    skip: "Skipped",
  };
  const REASONS = ["Image unclear", "Question unclear", "I don't know enough", "Offensive or private"];
  const HELP = [
    ["1  2", "the left, the right answer is better"],
    ["T", "tie: equally good"],
    ["G  B", "both good, both bad"],
    ["U", "you can't tell which is better"],
    ["S", "skip with a reason; somebody else gets the pair"],
    ["Z", "undo, as often as you like"],
    ["←  →", "look back through your answers; answering again replaces one"],
    ["+  −  0", "zoom in, out, fit; wheel and drag work too"],
    ["?", "this list"],
  ];

  const bar = (parts) => {
    const made = element("header", "an-bar");
    parts.dataset = element("select", "an-select", "", { "aria-label": "Dataset" });
    parts.meter = element("progress", "an-meter", "", { "aria-label": "Labelled", max: 1, value: 0 });
    parts.counts = element("span", "an-counts");
    parts.status = element("span", "an-status", "", { role: "status" });
    parts.export = button("export-form", "", "Export…", "quiet", "Export labelled pairs");
    made.append(parts.dataset, parts.meter, parts.counts, element("span", "an-space"), parts.status,
      parts.export,
      button("back", "←", "", "quiet", "Look back at your answers"),
      button("forward", "→", "", "quiet", "Forward to the next pair"),
      button("help", "?", "", "quiet", "Keys"));
    return made;
  };

  const imagePanel = (parts) => {
    const made = element("section", "an-images", "", { "aria-label": "Images" });
    parts.stage = element("div", "an-stage");
    parts.zoom = element("span", "an-zoom");
    const tools = element("div", "an-tools");
    tools.append(button("zoom-out", "−", "", "quiet", "Zoom out"), parts.zoom,
      button("zoom-in", "+", "", "quiet", "Zoom in"), button("zoom-fit", "0", "Fit", "quiet"));
    made.append(parts.stage, tools);
    return made;
  };

  const answerPanel = (parts, side, key) => {
    const made = element("article", "an-answer", "", { "data-side": side });
    const head = element("header", "");
    const verdict = element("span", "an-verdict");
    head.append(element("b", "", side === "left" ? "A" : "B"), verdict);
    const text = element("div", "an-text", "", { tabindex: "0", dir: "auto" });
    const name = side === "left" ? "A" : "B";
    made.append(head, text, button(side, key, `${name} is better`, "choose"));
    parts[side] = { panel: made, text, verdict };
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

  const sidePanel = (parts) => {
    const made = element("section", "an-side");
    parts.question = element("div", "an-question", "", { tabindex: "0", dir: "auto" });
    const answers = element("div", "an-answers");
    answers.append(answerPanel(parts, "left", "1"), answerPanel(parts, "right", "2"));
    const actions = element("div", "an-actions");
    actions.append(button("tie", "T", "Tie"), button("both_good", "G", "Both good"),
      button("both_bad", "B", "Both bad"), button("unsure", "U", "Can't tell"),
      button("skip", "S", "Skip…"), button("undo", "Z", "Undo"));
    parts.notice = element("div", "an-notice", "", { role: "alert", hidden: "" });
    made.append(parts.question, answers, actions, skipPanel(parts), parts.notice);
    return made;
  };

  const helpDialog = () => {
    const made = element("dialog", "an-help", "", { "aria-label": "Keys" });
    const list = element("dl");
    for (const [keys, text] of HELP) {
      const term = element("dt");
      for (const key of keys.split("  ")) term.append(element("kbd", "", key));
      list.append(term, element("dd", "", text));
    }
    made.append(element("h3", "", "Keys"), list, button("help-close", "Esc", "Close"));
    return made;
  };

  // Fills `root`; returns the parts that change.
  const build = (root) => {
    const parts = { root };
    parts.work = element("div", "an-work", "", { hidden: "" });
    parts.work.append(imagePanel(parts), sidePanel(parts));
    parts.empty = element("div", "an-empty", "", { hidden: "" });
    parts.help = helpDialog();
    root.replaceChildren(bar(parts), parts.work, parts.empty, parts.help);
    return parts;
  };

  const fillQuestion = (parts, card) => {
    const turns = card.prompt.map((message) => {
      const text = message.parts.map((part) => part.text).join("").trim();
      const turn = element("p", `an-turn ${message.role}`, text);
      if (card.prompt.length > 1) turn.prepend(element("b", "", `${message.role} `));
      return turn;
    });
    parts.question.replaceChildren(...turns);
    parts.question.scrollTop = parts.question.scrollHeight;
  };

  const fillAnswer = (part, side, current) => {
    part.text.textContent = side.text;
    part.text.scrollTop = 0;
    const chosen = current?.kind === "choose" && current.winner_id === side.candidate_id;
    const rejected = current?.kind === "choose" && !chosen;
    part.panel.dataset.verdict = chosen ? "chosen" : rejected ? "rejected" : "";
    part.verdict.textContent = chosen ? "✓ your choice" : rejected ? "not chosen"
      : current ? WORDS[current.kind] : "";
  };

  const fill = (parts, card) => {
    fillQuestion(parts, card);
    fillAnswer(parts.left, card.left, card.current);
    fillAnswer(parts.right, card.right, card.current);
    parts.work.classList.toggle("reviewing", Boolean(card.current));
  };

  const fillProgress = (parts, progress) => {
    const pieces = [`${progress.labelled.toLocaleString("en")} of ${many(progress.total, "pair")}`,
      `${progress.today.toLocaleString("en")} today`];
    if (progress.median_seconds !== null) pieces.push(`median ${progress.median_seconds} s`);
    parts.counts.textContent = pieces.join(" · ");
    parts.meter.max = Math.max(progress.total, 1);
    parts.meter.value = progress.labelled;
  };

  const fillDatasets = (parts, datasets, chosen) => {
    const options = [element("option", "", "All datasets", { value: "" })];
    for (const { name, pairs } of datasets) {
      if (pairs) options.push(element("option", "", name, { value: name }));
    }
    parts.dataset.replaceChildren(...options);
    parts.dataset.value = chosen;
  };

  const fillStatus = ({ status }, { entries, problem, sending }, acknowledged) => {
    const kept = `${many(entries.length, "answer")} kept in this browser`;
    status.dataset.state = problem ? "problem" : entries.length ? "saving" : "saved";
    if (problem && entries.length) status.textContent = `Not saved yet: ${problem} · ${kept}`;
    else if (problem) status.textContent = problem;
    else if (entries.length || sending) status.textContent = "saving…";
    else status.textContent = acknowledged ? "saved ✓" : "";
  };

  const SAVING = {
    title: "Saving your answers",
    text: "The next pairs come when the server has them. They are safe in this browser.",
    buttons: [],
  };

  // What is said when there is no pair to show, and the one next step.
  const emptyState = ({ progress, datasets, dataset, lead }) => {
    const { labelled = 0, total = 0, waiting = 0 } = progress ?? {};
    if (!total) {
      return {
        title: "No pairs to label yet",
        text: "A pair is an image, a question and two answers. You say which answer is better, " +
          "without knowing who wrote it, and a model learns from it. " +
          (lead ? "Import your own in Data." : "A lead imports them."),
        buttons: lead ? [["import-samples", "Import sample pairs", true]] : [],
      };
    }
    if (waiting) {
      return {
        title: `${many(waiting, "pair")} in other hands`,
        text: "Your colleagues hold the rest. A pair they leave comes free after ten minutes.",
        buttons: [["look-again", "Look again", true]],
      };
    }
    const votes = datasets.filter(({ name }) => !dataset || name === dataset)
      .reduce((sum, { labelled: pairs }) => sum + pairs, 0);
    const exporting = ["export-now", `Export ${many(votes, "labelled pair")} for training`, true];
    return {
      title: `All ${many(total, "pair")} done`,
      text: `You answered ${many(labelled, "pair")}. ` +
        "Ties and skipped pairs are counted but not trained on.",
      buttons: [...(lead && votes ? [exporting] : []), ["look-again", "Look again", false]],
    };
  };

  // state: {title, text, buttons: [[act, text, primary]]}
  const showEmpty = (parts, state) => {
    const row = element("div", "an-row");
    for (const [act, text, primary] of state.buttons) {
      row.append(button(act, "", text, primary ? "primary" : ""));
    }
    parts.empty.replaceChildren(element("b", "", state.title), element("p", "", state.text), row);
    parts.empty.hidden = false;
    parts.work.hidden = true;
  };

  const notice = (parts, text, buttons = []) => {
    const made = buttons.map(([act, label]) => button(act, "", label));
    parts.notice.replaceChildren(element("span", "", text), ...made,
      button("notice-close", "", "Close", "quiet"));
    parts.notice.hidden = false;
  };

  // The export form below the page is Gradio's own.
  const openForm = () => {
    const form = document.getElementById("annotate-export");
    const opener = form?.querySelector("button");
    if (opener && !opener.classList.contains("open")) opener.click();
    setTimeout(() => form?.scrollIntoView({ block: "end" }), 150);
  };

  return {
    build, fill, fillProgress, fillStatus, fillDatasets, showEmpty, emptyState, notice,
    openForm, plainKey, KEYS, REASONS, SAVING,
  };
})();
