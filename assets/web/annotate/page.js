// What the annotating page looks like: builds its elements once and fills them with a pair.
// Text of datasets and models only ever goes through textContent.
window.StudioPage = (() => {
  const { element, button, skipPanel, editorPanel, guidelinesPanel, helpDialog } =
    window.StudioPanels;
  const words = window.StudioWords;
  const { WORDS, many } = words;
  const text = window.StudioText;
  const VOTES = ["choose", "tie", "both_good", "both_bad"];
  const NOTICE_KEYS = { "notice-look": "V" };

  const bar = (parts) => {
    const made = element("header", "an-bar");
    parts.dataset = element("select", "an-select", "", { "aria-label": "Dataset" });
    parts.meter = element("progress", "an-meter", "", { "aria-label": "Pairs that need nothing from you", max: 1, value: 0 });
    parts.counts = element("span", "an-counts");
    parts.status = element("span", "an-status", "", { role: "status" });
    parts.export = button("export-form", "", "Export…", "quiet", "Export labelled pairs");
    made.append(parts.dataset, parts.meter, parts.counts, element("span", "an-space"), parts.status,
      parts.export,
      button("back", "←", "", "quiet", "Look back at your answers"),
      button("forward", "→", "", "quiet", "Forward to the next pair"),
      button("guidelines", "L", "Guidelines", "quiet"),
      button("help", "?", "", "quiet", "Keys"));
    return made;
  };

  const imagePanel = (parts) => {
    const made = element("section", "an-images", "", { "aria-label": "Images" });
    parts.stage = element("div", "an-stage");
    parts.zoom = element("span", "an-zoom");
    const tools = element("div", "an-tools");
    tools.append(button("zoom-out", "−", "", "quiet", "Zoom out"), parts.zoom,
      button("zoom-in", "+", "", "quiet", "Zoom in"), button("zoom-fit", "0", "Fit", "quiet"),
      button("rotate", "", "↻", "quiet", "Rotate (R)"),
      button("full", "", "⤢", "quiet", "The images alone (space)"));
    made.append(parts.stage, tools);
    return made;
  };

  const answerPanel = (parts, side, keys) => {
    const name = side === "left" ? "A" : "B";
    const made = element("article", "an-answer", "", { "data-side": side });
    const head = element("header", "");
    const verdict = element("span", "an-verdict");
    const author = element("span", "tm-author");
    head.append(element("b", "", name), author, verdict);
    const shown = element("div", "an-text", "", {
      tabindex: "0", dir: "auto", role: "region", "aria-label": `Answer ${name}`,
    });
    const choices = element("div", "an-choices");
    choices.append(
      button(`${side}-slightly`, keys[1], "slightly", "side", `${name} is slightly better`),
      button(side, keys[0], `${name} is better`, "choose"),
      button(`${side}-clearly`, `⇧${keys[0]}`, "clearly", "side", `${name} is clearly better`));
    made.append(head, shown, choices);
    parts[side] = { panel: made, text: shown, verdict, author };
    return made;
  };

  const sidePanel = (parts) => {
    const made = element("section", "an-side");
    parts.question = element("div", "an-question", "", {
      tabindex: "0", dir: "auto", role: "region", "aria-label": "Question",
    });
    const answers = element("div", "an-answers");
    answers.append(answerPanel(parts, "left", ["1", "Q"]), answerPanel(parts, "right", ["2", "W"]));
    const actions = element("div", "an-actions");
    actions.append(button("tie", "T", "Tie"), button("both_good", "G", "Both good"),
      button("both-bad", "B", "Both bad…"), button("unsure", "U", "Can't tell"),
      button("skip", "S", "Skip…"), button("undo", "Z", "Undo"));
    const more = element("div", "an-actions an-more");
    parts.aspects = element("span", "an-aspects");
    more.append(button("edit", "E", "Edit…", "quiet"), button("ideal", "N", "Ideal…", "quiet"),
      button("comment", "C", "Comment…", "quiet"), button("flag", "F", "Flag", "quiet"),
      button("mark", "M", "Mark wrong", "quiet"), button("differences", "D", "Differences", "quiet"),
      parts.aspects,
      button("gold", "O", "Gold", "quiet an-lead", "Make this answer the known right one, or no longer"));
    parts.more = more;
    made.append(parts.question, answers, actions, more, skipPanel(parts), editorPanel(parts));
    for (const place of [parts.question, parts.left.text, parts.right.text]) watchMore(place);
    return made;
  };

  // Fills `root`; returns the parts that change.
  const build = (root) => {
    const parts = { root };
    parts.work = element("div", "an-work", "", { hidden: "", tabindex: "-1" });
    parts.work.append(imagePanel(parts), sidePanel(parts));
    parts.empty = element("div", "an-empty", "", { hidden: "", tabindex: "-1" });
    parts.notice = element("div", "an-notice", "", { role: "alert", hidden: "" });
    parts.news = element("div", "an-news", "", { role: "status", "aria-live": "polite" });
    parts.help = helpDialog();
    root.replaceChildren(bar(parts), parts.work, parts.empty, parts.notice, parts.news,
      guidelinesPanel(parts), parts.help);
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
    // A conversation opens at what is asked last, from its first word.
    const asked = turns.findLast((turn) => turn.classList.contains("user")) ?? turns.at(-1);
    parts.question.scrollTop = asked && turns.length > 1
      ? asked.offsetTop - parts.question.offsetTop : 0;
  };

  // Whether there is more of a text above or below what is seen of it, for its look.
  const markMore = (place) => {
    const below = place.scrollHeight - place.clientHeight - place.scrollTop;
    place.toggleAttribute("data-above", place.scrollTop > 1);
    place.toggleAttribute("data-below", below > 1);
  };
  const watchMore = (place) => {
    place.addEventListener("scroll", () => markMore(place), { passive: true });
    new ResizeObserver(() => markMore(place)).observe(place);
  };

  // The pair from its top: a phone that was scrolled down to the buttons shows the next question.
  const reveal = ({ work, question }) => {
    const [box, asked] = [work.getBoundingClientRect(), question.getBoundingClientRect()];
    if (box.height && (box.top < 0 || asked.bottom > innerHeight)) {
      work.scrollIntoView({ block: "start", behavior: "instant" });
    }
  };

  // For those who listen: a new pair is there.
  const SAID = 400;
  const announce = ({ news }, card) => {
    const turns = card.prompt.filter(({ role }) => role === "user");
    const asked = (turns.at(-1) ?? card.prompt.at(-1))?.parts.map(({ text }) => text).join("").trim();
    const which = card.current ? "An answer of yours" : "Next pair";
    news.textContent = `${which}: ${(asked ?? "").slice(0, SAID)}`;
  };

  // The focus on `wanted` where it still can be, else on the pair.
  const focus = ({ root, work, empty }, wanted) => {
    const there = wanted?.isConnected && root.contains(wanted) && wanted.getClientRects().length;
    (there ? wanted : work.hidden ? empty : work).focus({ preventScroll: true });
  };

  const fillText = (parts, card, side, draft, { markdown, differences }) => {
    const part = parts[side];
    const [own, other] = side === "left" ? [card.left, card.right] : [card.right, card.left];
    const spans = draft.spans.filter((span) => span.side === side);
    if (markdown && !differences && !spans.length) text.markdown(part.text, own.text);
    else {
      const different = differences ? text.differences(own.text, other.text) : [];
      text.plain(part.text, own.text, spans, different);
    }
    part.text.classList.toggle("an-prose", Boolean(part.text.querySelector("p")));
  };

  // Scrolls what is longer than its place, the question to its end before the answers, and back
  // the other way round; whether there was anything.
  const scroll = ({ question, left, right }, pixels) => {
    const can = (one) => pixels > 0
      ? one.scrollTop + one.clientHeight < one.scrollHeight - 1 : one.scrollTop > 0;
    const answers = [left.text, right.text];
    const order = pixels > 0 ? [[question], answers] : [answers, [question]];
    const first = order.find((places) => places.some(can));
    for (const one of first ?? []) one.scrollTop += pixels;
    return [question, ...answers].some((one) => one.scrollHeight > one.clientHeight + 1);
  };

  const fillVerdict = (part, side, current, author) => {
    const chosen = current?.kind === "choose" && current.winner === side;
    const rejected = current?.kind === "choose" && !chosen;
    part.panel.dataset.verdict = chosen ? "chosen" : rejected ? "rejected" : "";
    const how = current?.strength ? `${current.strength} better` : "your choice";
    part.author.textContent = author ?? "";
    part.verdict.textContent = chosen ? `✓ ${how}` : rejected ? "not chosen"
      : current ? WORDS[current.kind] : "";
  };

  const fillDraft = (parts, card, draft, differences) => {
    const view = { markdown: card.markdown, differences };
    fillText(parts, card, "left", draft, view);
    fillText(parts, card, "right", draft, view);
    const edited = draft.edit && draft.edit !== card[draft.side]?.text;
    const on = { edit: edited, ideal: draft.ideal, comment: draft.comment,
      flag: draft.flagged, mark: draft.spans.length, differences };
    for (const [act, value] of Object.entries(on)) {
      const shown = parts.more.querySelector(`[data-act=${act}]`);
      shown.setAttribute("aria-pressed", String(Boolean(value)));
    }
    parts.aspects.replaceChildren(...card.aspects.map((aspect, index) => {
      const better = draft.aspects[aspect];
      const side = better === undefined ? "–" : { left: "A", right: "B" }[better] ?? "=";
      return button(`aspect-${index}`, String(index + 4), `${aspect}: ${side}`, "quiet");
    }));
  };

  const fill = (parts, card, draft, differences) => {
    fillQuestion(parts, card);
    for (const [index, side] of ["left", "right"].entries()) {
      fillVerdict(parts[side], side, card.current, card.authors[index]);
      parts[side].text.scrollTop = 0;
    }
    fillDraft(parts, card, draft, differences);
    for (const place of [parts.question, parts.left.text, parts.right.text]) markMore(place);
    parts.work.classList.toggle("reviewing", Boolean(card.current));
    parts.work.classList.toggle("judged", VOTES.includes(card.current?.kind));
  };

  const fillProgress = (parts, progress) => {
    const { labelled, total, waiting, today, day, since, pairs } = progress;
    const number = (count) => count.toLocaleString("en");
    const still = words.pairsLeft(progress);
    const left = `${still ? number(still) : "none"} left of ${many(pairs, "pair")}`;
    const from = since && since !== day ? ` since ${words.date(since)}` : "";
    const pieces = [left, `${many(labelled, "answer")} by you${from}`,
      `${number(today)} today${day ? `, ${words.date(day)}` : ""}`];
    if (progress.median_seconds !== null) pieces.push(`median ${progress.median_seconds} s`);
    parts.counts.textContent = pieces.join(" · ");
    parts.counts.title = "Left: pairs that need an answer of yours, those that come twice counted " +
      "once; their second answer is among those by you. Pairs others have finished are not left. Today is the studio's day; the median is of your " +
      "last 200 answers.";
    parts.meter.max = Math.max(total, 1);
    parts.meter.value = Math.max(0, total - waiting);
  };

  const fillDatasets = (parts, datasets, chosen) => {
    const options = [element("option", "", "All datasets", { value: "" })];
    for (const { name, pairs } of datasets) {
      if (pairs) options.push(element("option", "", name, { value: name }));
    }
    parts.dataset.replaceChildren(...options);
    parts.dataset.value = chosen;
  };

  const fillStatus = ({ status }, { entries, problem, sending, loggedOut }, acknowledged) => {
    const kept = `${many(entries.length, "answer")} kept in this browser`;
    status.dataset.state = problem ? "problem" : entries.length ? "saving" : "saved";
    if (problem && entries.length) status.textContent = `Not saved: ${problem} · ${kept}`;
    else if (problem) status.textContent = problem;
    else if (entries.length || sending) status.textContent = "saving…";
    else status.textContent = acknowledged ? "saved ✓" : "";
    status.title = status.textContent;
    if (!loggedOut) return;
    status.prepend(element("a", "", "Log in", { href: "/login", target: "_blank" }), " · ");
  };

  // What Enter does when there is no pair; an export is never started by a key too many.
  const ENTERED = ["look-again", "import-samples"];
  const entered = (parts) => [...parts.empty.querySelectorAll("[data-act]")]
    .find(({ dataset }) => !parts.empty.hidden && ENTERED.includes(dataset.act));

  // state: {title, text, buttons: [[act, text, primary]]}
  const showEmpty = (parts, state) => {
    const row = element("div", "an-row");
    for (const [act, text, primary] of state.buttons) {
      row.append(button(act, ENTERED.includes(act) ? "↵" : "", text, primary ? "primary" : ""));
    }
    parts.empty.replaceChildren(element("b", "", state.title), element("p", "", state.text), row);
    parts.empty.hidden = false;
    parts.work.hidden = true;
  };

  const notice = (parts, text, buttons = [], tone = "") => {
    parts.notice.dataset.tone = tone;
    const made = buttons.map(([act, label]) => button(act, NOTICE_KEYS[act] ?? "", label));
    parts.notice.replaceChildren(element("span", "", text), ...made,
      button("notice-close", "Esc", "Close", "quiet"));
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
    build, imagePanel, fillQuestion, fill, reveal, announce, focus, watchMore, markMore,
    scroll, fillDraft, fillProgress, fillStatus,
    fillDatasets, showEmpty, entered, notice, openForm,
  };
})();
