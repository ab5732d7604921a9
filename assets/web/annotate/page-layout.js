// What the annotating page looks like: builds its elements once and fills them with a pair.
// Text of datasets and models only ever goes through textContent.
import { element } from "../shared/dom.js";
import { editorPanel, skipPanel } from "./answer-panels.js";
import { differences } from "./differences.js";
import { button, part, textPlace } from "./page-elements.js";
import { guidelinesPanel } from "./guidelines.js";
import { helpDialog } from "./help.js";
import { KIND_NAMES, isVote } from "./label-kinds.js";
import { markMore, watchMore } from "./long-texts.js";
import { countsLine, many } from "./progress.js";
import { markdown, plain } from "./answer-text.js";

/** @typedef {import("./label-fields.js").Card} Card */
/** @typedef {import("./label-fields.js").Side} Side */
/** @typedef {import("./label-fields.js").ShownAnswer} ShownAnswer */
/** @typedef {import("./drafts.js").DraftValues} DraftValues */
/** @typedef {ReturnType<typeof answerPanel>} AnswerParts */
/** @typedef {ReturnType<typeof build>} Parts */

/** What Enter does when there is no pair; an export is never started by a key too many. */
const ENTERED = ["look-again", "import-samples"];
/** @type {Readonly<Record<string, string>>} */
const NOTICE_KEYS = { "notice-look": "V" };
const SAID = 400;
/** @type {string} The word is missing in the types of some versions of TypeScript. */
const INSTANT = "instant";
const COUNTS_HELP = "Left: pairs that need an answer of yours, those that come twice counted " +
  "once; their second answer is among those by you. Pairs others have finished are not left. " +
  "Today is the studio's day; the median is of your last 200 answers.";
export const SIDES = /** @type {const} */ (["left", "right"]);
/** @type {Readonly<Record<Side, string>>} */
export const SIDE_NAMES = { left: "A", right: "B" };

const bar = () => {
  const made = element("header", "an-bar");
  const dataset = element("select", "an-select", "", { "aria-label": "Dataset" });
  const meter = element("progress", "an-meter", "", {
    "aria-label": "Pairs that need nothing from you", max: 1, value: 0,
  });
  const counts = element("span", "an-counts");
  const status = element("span", "an-status", "", { role: "status" });
  const exporting = button("export-form", "", "Export…", "quiet", "Export labelled pairs");
  made.append(dataset, meter, counts, element("span", "an-space"), status, exporting,
    button("back", "←", "", "quiet", "Look back at your answers"),
    button("forward", "→", "", "quiet", "Forward to the next pair"),
    button("guidelines", "L", "Guidelines", "quiet"),
    button("help", "?", "", "quiet", "Keys"));
  return { made, dataset, meter, counts, status, exporting };
};

/** Builds the place of the images with its tools. */
export const imagePanel = () => {
  const made = element("section", "an-images", "", { "aria-label": "Images" });
  const stage = element("div", "an-stage");
  const zoom = element("span", "an-zoom");
  const tools = element("div", "an-tools");
  tools.append(button("zoom-out", "−", "", "quiet", "Zoom out"), zoom,
    button("zoom-in", "+", "", "quiet", "Zoom in"), button("zoom-fit", "0", "Fit", "quiet"),
    button("rotate", "", "↻", "quiet", "Rotate (R)"),
    button("full", "", "⤢", "quiet", "The images alone (space)"));
  made.append(stage, tools);
  return { made, stage, zoom };
};

/**
 * @param {Side} side
 * @param {string} key chooses it
 * @param {string} slightKey chooses it slightly
 */
const answerPanel = (side, key, slightKey) => {
  const name = SIDE_NAMES[side];
  const panel = element("article", "an-answer", "", { "data-side": side });
  const head = element("header");
  const verdict = element("span", "an-verdict");
  const author = element("span", "tm-author");
  head.append(element("b", "", name), author, verdict);
  const text = textPlace("an-text", `Answer ${name}`);
  const choices = element("div", "an-choices");
  choices.append(
    button(`${side}-slightly`, slightKey, "slightly", "side", `${name} is slightly better`),
    button(side, key, `${name} is better`, "choose"),
    button(`${side}-clearly`, `⇧${key}`, "clearly", "side", `${name} is clearly better`));
  panel.append(head, text, choices);
  return { panel, text, verdict, author };
};

const sidePanel = () => {
  const made = element("section", "an-side");
  const question = textPlace("an-question", "Question");
  const [left, right] = [answerPanel("left", "1", "Q"), answerPanel("right", "2", "W")];
  const answers = element("div", "an-answers");
  answers.append(left.panel, right.panel);
  const actions = element("div", "an-actions");
  actions.append(button("tie", "T", "Tie"), button("both_good", "G", "Both good"),
    button("both-bad", "B", "Both bad…"), button("unsure", "U", "Can't tell"),
    button("skip", "S", "Skip…"), button("undo", "Z", "Undo"));
  const more = element("div", "an-actions an-more");
  const aspects = element("span", "an-aspects");
  more.append(button("edit", "E", "Edit…", "quiet"), button("ideal", "N", "Ideal…", "quiet"),
    button("comment", "C", "Comment…", "quiet"), button("flag", "F", "Flag", "quiet"),
    button("mark", "M", "Mark wrong", "quiet"), button("differences", "D", "Differences", "quiet"),
    aspects,
    button("gold", "O", "Gold", "quiet an-lead", "Make this answer the known right one, or no longer"));
  const panels = { ...skipPanel(), ...editorPanel() };
  made.append(question, answers, actions, more, panels.skip, panels.editor);
  for (const place of [question, left.text, right.text]) watchMore(place);
  return { made, question, left, right, aspects, more, ...panels };
};

/**
 * Fills `root`; returns the parts that change.
 *
 * @param {HTMLElement} root
 */
export const build = (root) => {
  const { made: header, ...head } = bar();
  const { made: images, ...view } = imagePanel();
  const { made: side, ...pair } = sidePanel();
  const work = element("div", "an-work", "", { hidden: "", tabindex: "-1" });
  work.append(images, side);
  const empty = element("div", "an-empty", "", { hidden: "", tabindex: "-1" });
  const notice = element("div", "an-notice", "", { role: "alert", hidden: "" });
  const news = element("div", "an-news", "", { role: "status", "aria-live": "polite" });
  const guide = guidelinesPanel();
  const help = helpDialog();
  root.replaceChildren(header, work, empty, notice, news, guide.guidelines, help);
  return { root, ...head, ...view, ...pair, ...guide, work, empty, notice, news, help };
};

/** @param {import("./label-fields.js").Message | undefined} message */
const textOf = (message) => (message?.parts ?? []).map(({ text }) => text).join("").trim();

/**
 * @param {{question: HTMLElement}} parts
 * @param {Card} card
 */
export const fillQuestion = ({ question }, card) => {
  const turns = card.prompt.map((message) => {
    const turn = element("p", `an-turn ${message.role}`, textOf(message));
    if (card.prompt.length > 1) turn.prepend(element("b", "", `${message.role} `));
    return turn;
  });
  question.replaceChildren(...turns);
  // A conversation opens at what is asked last, from its first word.
  const asked = turns.filter((turn) => turn.classList.contains("user")).at(-1) ?? turns.at(-1);
  question.scrollTop = asked && turns.length > 1 ? asked.offsetTop - question.offsetTop : 0;
};

/**
 * Shows the pair from its top: a phone that was scrolled down to the buttons shows the next question.
 *
 * @param {Pick<Parts, "work" | "question">} parts
 */
export const reveal = ({ work, question }) => {
  const [box, asked] = [work.getBoundingClientRect(), question.getBoundingClientRect()];
  if (box.height && (box.top < 0 || asked.bottom > innerHeight)) {
    work.scrollIntoView({ block: "start", behavior: /** @type {ScrollBehavior} */ (INSTANT) });
  }
};

/**
 * Says that a new pair is there, for those who listen.
 *
 * @param {Pick<Parts, "news">} parts
 * @param {Card} card
 */
export const announce = ({ news }, card) => {
  const turns = card.prompt.filter(({ role }) => role === "user");
  const asked = textOf(turns.at(-1) ?? card.prompt.at(-1));
  const which = card.current ? "An answer of yours" : "Next pair";
  news.textContent = `${which}: ${asked.slice(0, SAID)}`;
};

/**
 * Puts the focus on `wanted` where it still can be, else on the pair.
 *
 * @param {Parts} parts
 * @param {HTMLElement | null} wanted
 */
export const focus = ({ root, work, empty }, wanted) => {
  const there = wanted?.isConnected && root.contains(wanted) && wanted.getClientRects().length;
  (there ? wanted : work.hidden ? empty : work).focus({ preventScroll: true });
};

/**
 * @param {Parts} parts
 * @param {Card} card
 * @param {Side} side
 * @param {DraftValues} draft
 * @param {boolean} differing whether differences are shown
 */
const fillText = (parts, card, side, draft, differing) => {
  const place = parts[side].text;
  const [own, other] = side === "left" ? [card.left, card.right] : [card.right, card.left];
  const spans = draft.spans.filter((span) => span.side === side);
  if (card.markdown && !differing && !spans.length) markdown(place, own.text);
  else plain(place, own.text, spans, differing ? differences(own.text, other.text) : []);
  place.classList.toggle("an-prose", Boolean(place.querySelector("p")));
};

/**
 * @param {AnswerParts} part
 * @param {Side} side
 * @param {ShownAnswer | null} current
 * @param {string | undefined} author
 */
const fillVerdict = (part, side, current, author) => {
  const chosen = current?.kind === "choose" && current.winner === side;
  const rejected = current?.kind === "choose" && !chosen;
  part.panel.dataset.verdict = chosen ? "chosen" : rejected ? "rejected" : "";
  const how = current?.strength ? `${current.strength} better` : "your choice";
  part.author.textContent = author ?? "";
  part.verdict.textContent = chosen ? `✓ ${how}` : rejected ? "not chosen"
    : current ? KIND_NAMES[current.kind] : "";
};

/**
 * Shows what is written about a pair.
 *
 * @param {Parts} parts
 * @param {Card} card
 * @param {DraftValues} draft
 * @param {boolean} differing
 */
export const fillDraft = (parts, card, draft, differing) => {
  for (const side of SIDES) fillText(parts, card, side, draft, differing);
  const edited = draft.edit && draft.edit !== (draft.side && card[draft.side].text);
  const on = { edit: edited, ideal: draft.ideal, comment: draft.comment,
    flag: draft.flagged, mark: draft.spans.length, differences: differing };
  for (const [act, value] of Object.entries(on)) {
    part(parts.more, `[data-act=${act}]`).setAttribute("aria-pressed", String(Boolean(value)));
  }
  parts.aspects.replaceChildren(...card.aspects.map((aspect, index) => {
    const better = draft.aspects[aspect];
    const said = better === undefined ? "–" : better ? SIDE_NAMES[better] : "=";
    return button(`aspect-${index}`, String(index + 4), `${aspect}: ${said}`, "quiet");
  }));
};

/**
 * Shows a pair.
 *
 * @param {Parts} parts
 * @param {Card} card
 * @param {DraftValues} draft
 * @param {boolean} differing
 */
export const fill = (parts, card, draft, differing) => {
  fillQuestion(parts, card);
  SIDES.forEach((side, index) => {
    fillVerdict(parts[side], side, card.current, card.authors[index]);
    parts[side].text.scrollTop = 0;
  });
  fillDraft(parts, card, draft, differing);
  for (const place of [parts.question, parts.left.text, parts.right.text]) markMore(place);
  parts.work.classList.toggle("reviewing", Boolean(card.current));
  parts.work.classList.toggle("judged", isVote(card.current));
};

/**
 * @param {Parts} parts
 * @param {import("./label-fields.js").Progress} progress
 */
export const fillProgress = (parts, progress) => {
  parts.counts.textContent = countsLine(progress);
  parts.counts.title = COUNTS_HELP;
  parts.meter.max = Math.max(progress.total, 1);
  parts.meter.value = Math.max(0, progress.total - progress.waiting);
};

/**
 * @param {Parts} parts
 * @param {import("./label-fields.js").DatasetView[]} datasets
 * @param {string} chosen
 */
export const fillDatasets = (parts, datasets, chosen) => {
  const options = [element("option", "", "All datasets", { value: "" })];
  for (const { name, pairs } of datasets) {
    if (pairs) options.push(element("option", "", name, { value: name }));
  }
  parts.dataset.replaceChildren(...options);
  parts.dataset.value = chosen;
};

/**
 * Says how the answers on their way are.
 *
 * @param {Pick<Parts, "status">} parts
 * @param {Pick<import("./outbox.js").Outbox, "entries" | "problem" | "sending" | "loggedOut">} outbox
 * @param {boolean} acknowledged whether the server has committed an answer of this page
 */
export const fillStatus = ({ status }, { entries, problem, sending, loggedOut }, acknowledged) => {
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

/**
 * The button that Enter presses when there is no pair.
 *
 * @param {Pick<Parts, "empty">} parts
 */
export const entered = ({ empty }) =>
  Array.from(empty.querySelectorAll("button"))
    .find(({ dataset }) => !empty.hidden && ENTERED.includes(dataset.act ?? ""));

/**
 * Shows that there is no pair, and the next step.
 *
 * @param {Parts} parts
 * @param {import("./empty-state.js").EmptyState} state
 */
export const showEmpty = (parts, state) => {
  const row = element("div", "an-row");
  for (const [act, text, primary] of state.buttons) {
    row.append(button(act, ENTERED.includes(act) ? "↵" : "", text, primary ? "primary" : ""));
  }
  parts.empty.replaceChildren(element("b", "", state.title), element("p", "", state.text), row);
  parts.empty.hidden = false;
  parts.work.hidden = true;
};

/**
 * Shows a notice above the pair.
 *
 * @param {Pick<Parts, "notice">} parts
 * @param {string} text
 * @param {[action: string, label: string][]} [buttons]
 * @param {string} [tone]
 */
export const showNotice = (parts, text, buttons = [], tone = "") => {
  parts.notice.dataset.tone = tone;
  const made = buttons.map(([act, label]) => button(act, NOTICE_KEYS[act] ?? "", label));
  parts.notice.replaceChildren(element("span", "", text), ...made,
    button("notice-close", "Esc", "Close", "quiet"));
  parts.notice.hidden = false;
};

/** Opens the export form below the page, which is Gradio's own. */
export const openForm = () => {
  const form = document.getElementById("annotate-export");
  const opener = form?.querySelector("button");
  if (opener && !opener.classList.contains("open")) opener.click();
  setTimeout(() => form?.scrollIntoView({ block: "end" }), 150);
};
