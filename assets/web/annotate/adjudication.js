// Adjudicating (the tab Decide): one pair with its votes side by side, decided by keyboard.
import { connection } from "../shared/connection.js";
import { element } from "../shared/dom.js";
import { button, part, textPlace } from "./page-elements.js";
import { KeyGuard, hintLine } from "./key-guard.js";
import { DECIDE_KEYS, composing, takesText, targetOf } from "./keys.js";
import { KIND_NAMES } from "./label-kinds.js";
import { markMore, watchMore } from "./long-texts.js";
import { SIDES, SIDE_NAMES, fillQuestion, imagePanel } from "./page-layout.js";
import { many } from "./progress.js";
import { newKey, requestCase } from "./requests.js";
import { plain } from "./answer-text.js";
import { Viewer } from "./viewer.js";

/** @typedef {import("./label-fields.js").Case} Case */
/** @typedef {import("./label-fields.js").Card} Card */
/** @typedef {import("./label-fields.js").Side} Side */
/** @typedef {import("./label-fields.js").Vote} Vote */

const LATE = "Not counted: what was pressed before is not done yet";
const NO_CASE = "Not counted: there is no pair to decide";
const LONGEST_EXPLANATION = 2000;
/** @type {Adjudication | null} */
let adjudication = null;
/** The dataset chosen above, also before Decide was first opened; all with an empty name. */
let chosen = "";

/**
 * @param {Side} side
 * @param {string} key
 */
const answerPanel = (side, key) => {
  const name = SIDE_NAMES[side];
  const panel = element("article", "an-answer", "", { "data-side": side });
  const head = element("header");
  const author = element("span", "tm-author");
  head.append(element("b", "", name), author);
  const text = textPlace("an-text", `Answer ${name}`);
  panel.append(head, text, button(side, key, `${name} is better`, "choose"));
  return { panel, text, author };
};

/** @param {HTMLElement} root */
const build = (root) => {
  const side = element("section", "an-side");
  const question = element("div", "an-question", "", { dir: "auto" });
  const [left, right] = [answerPanel("left", "1"), answerPanel("right", "2")];
  const answers = element("div", "an-answers");
  answers.append(left.panel, right.panel);
  const actions = element("div", "an-actions");
  actions.append(button("tie", "T", "Tie"), button("both_good", "G", "Both good"),
    button("both_bad", "B", "Both bad"), button("reopen", "X", "Reopen"),
    button("gold", "O", "Make gold"), button("back", "←", "Back"), button("next", "→", "Next"));
  side.append(question, answers, actions);
  const work = element("div", "an-work");
  const votes = element("table", "tm-votes");
  const said = element("div", "tm-said", "", { tabindex: "0", role: "region", "aria-label": "Votes" });
  said.append(votes);
  const look = element("div", "tm-look");
  const { made: images, stage, zoom } = imagePanel();
  look.append(images, said);
  work.append(look, side);
  const head = element("div", "an-counts", "", { role: "status" });
  const told = element("div", "tm-told", "", { role: "alert", hidden: "" });
  const comment = element("input", "", "", {
    type: "text", maxlength: "4000",
    placeholder: "C: why (goes with your decision; Enter leaves the field)", "aria-label": "Comment",
  });
  const row = element("div", "an-row");
  row.append(comment);
  const place = element("div", "tm-case", "", { hidden: "" });
  place.append(work, row);
  const empty = element("div", "empty", "", { hidden: "" });
  root.replaceChildren(head, told, place, empty);
  return { question, left, right, actions, work, votes, stage, zoom, head, told, comment, case: place, empty };
};

/**
 * Says what somebody answered.
 *
 * @param {{kind: string, winner: Side | null, strength: string, flagged?: boolean, informed?: boolean}} vote
 */
export const voteWords = ({ kind, winner, strength, flagged, informed }) => {
  const said = kind === "choose" && winner ? `${SIDE_NAMES[winner]} ${strength}`.trim()
    : KIND_NAMES[kind];
  return [said, flagged && "⚑", informed && "(authors seen)"].filter(Boolean).join(" ");
};

/**
 * Says what else somebody judged: aspects, and the words they marked as wrong.
 *
 * @param {Pick<Vote, "aspects" | "spans">} vote
 * @param {Pick<Card, "left" | "right">} card
 */
export const voteDetails = ({ aspects, spans }, card) => {
  const judged = Object.entries(aspects)
    .map(([name, best]) => `${name}: ${best ? SIDE_NAMES[best] : "="}`);
  const marked = spans.map(({ side, start, end }) =>
    `wrong in ${SIDE_NAMES[side]}: “${card[side].text.slice(start, end)}”`);
  return [...judged, ...marked];
};

/**
 * The answer that becomes gold: the decision that stands, or the one answer everybody gave.
 *
 * @param {Pick<Case, "decided" | "votes">} found
 * @returns {[kind: string, winner: Side | null] | null}
 */
export const goldAnswer = ({ decided, votes }) => {
  const given = new Set(votes.map(({ kind, winner }) => `${kind} ${winner}`));
  const [kind, winner] = decided ?? (given.size === 1 ? [votes[0].kind, votes[0].winner] : [null, null]);
  return !kind || kind === "skip" || kind === "unsure" ? null : [kind, winner];
};

/**
 * @param {HTMLTableElement} table
 * @param {Case} found
 */
const fillVotes = (table, { votes, card }) => {
  /** @param {"td" | "th"} tag @param {string[]} cells */
  const row = (tag, cells) => {
    const made = element("tr");
    made.append(...cells.map((cell) => element(tag, "", cell)));
    return made;
  };
  const lines = votes.map((vote) => row("td", [
    vote.annotator, voteWords(vote),
    [vote.reason, vote.comment, ...voteDetails(vote, card)].filter(Boolean).join(" · "),
    vote.edit || vote.ideal,
    vote.elapsed_ms === null ? "" : `${(vote.elapsed_ms / 1000).toFixed(1)} s`,
  ]));
  table.replaceChildren(row("th", ["Who", "Says", "Why", "Wrote", "Time"]), ...lines);
};

class Adjudication {
  /**
   * @param {HTMLElement} root
   * @param {string} dataset
   */
  constructor(root, dataset) {
    this.root = root;
    this.dataset = dataset;
    /** @type {Case | null} */
    this.shown = null;
    /** @type {number[]} Cases looked at before, the latest last. */
    this.past = [];
    /** @type {Map<number, string>} By pair what is typed and goes with no decision yet. */
    this.comments = new Map();
    /** @type {Promise<unknown>} */
    this.turn = Promise.resolve();
    this.onTheirWay = 0;
    this.parts = build(root);
    this.viewer = new Viewer(this.parts.stage, this.parts.zoom);
    this.guard = new KeyGuard(this.parts.work, hintLine(root));
    this.long = [this.parts.question, this.parts.left.text, this.parts.right.text];
    for (const place of this.long) watchMore(place);
    root.addEventListener("click", (event) => {
      const pressed = targetOf(event)?.closest("[data-act]");
      const act = pressed instanceof HTMLElement ? pressed.dataset.act : undefined;
      if (act && event.detail < 2) this.act(act);
    });
    new IntersectionObserver((entries) => {
      const there = entries.some((entry) => entry.isIntersecting);
      if (there && !this.shown) this.inTurn(() => this.next(0));
    }).observe(root);
  }

  get visible() {
    return this.root.isConnected && this.root.getClientRects().length > 0 && !document.hidden;
  }

  /** @param {string} name */
  act(name) {
    /** @type {Record<string, () => unknown>} */
    const zooms = {
      "zoom-in": () => this.viewer.zoomBy(1), "zoom-out": () => this.viewer.zoomBy(-1),
      "zoom-fit": () => this.viewer.zoomTo(1), rotate: () => this.viewer.rotate(),
      full: () => this.viewer.full(),
    };
    if (zooms[name]) return zooms[name]();
    if (name === "next") return this.inTurn(() => this.leave());
    if (name === "back") return this.inTurn(() => this.back());
    // What is pressed now is meant for the pair that goes.
    if (this.onTheirWay) return this.guard.missed(LATE);
    if (!this.shown) return this.guard.missed(NO_CASE);
    if (name === "comment") return this.parts.comment.focus();
    if (name === "gold") return this.inTurn(() => this.gold());
    if (!this.guard.judged()) return null;
    const side = SIDES.find((one) => one === name);
    return this.inTurn(() => this.decide(side ? "choose" : name, side ?? null));
  }

  /**
   * Does one request after the other: of two at once, the slower reply would show its case last.
   *
   * @param {() => unknown} step
   */
  async inTurn(step) {
    this.tell("");
    this.onTheirWay += 1;
    const before = this.turn;
    this.turn = before.then(step, step);
    try {
      return await this.turn;
    } finally {
      this.onTheirWay -= 1;
    }
  }

  // On to the next case; the way back is kept.
  leave() {
    const pair = this.shown?.card.pair_id ?? 0;
    if (pair) this.past.push(pair);
    this.comments.set(pair, this.parts.comment.value);
    return this.next(pair);
  }

  /**
   * Turns to the cases of another dataset. The one on show goes at once: were there no reply, a key
   * would decide a pair of the dataset that was left.
   *
   * @param {string} dataset
   */
  turnTo(dataset) {
    const { parts } = this;
    this.dataset = dataset;
    return this.inTurn(() => {
      this.keepComment();
      this.shown = null;
      parts.case.hidden = parts.empty.hidden = true;
      parts.head.textContent = "";
      return this.next(0);
    });
  }

  // The case looked at before, decided or not: to look again, or to decide otherwise.
  async back() {
    const pair = this.past.pop();
    if (!pair) return this.next(0);
    const reply = await this.ask(`case/${pair}`);
    return reply ? this.show(reply.case) : this.past.push(pair);
  }

  /** @param {number} after @returns {Promise<void>} */
  async next(after) {
    const dataset = this.dataset ? `&dataset=${encodeURIComponent(this.dataset)}` : "";
    const reply = await this.ask(`case?after=${after}${dataset}`);
    if (!reply) return;
    if (!reply.case && after) return this.next(0);
    this.show(reply.case);
  }

  /**
   * Asks for a case, or changes one; says why when that cannot be.
   *
   * @param {string} path
   * @param {{pair_id: number} & Record<string, unknown>} [body]
   */
  async ask(path, body) {
    const reply = await requestCase(path, body);
    if (reply?.ok) return reply.json;
    const said = reply ? `${reply.json.message ?? ""} ${reply.json.remedy ?? ""}` : "No connection.";
    if (reply?.status === 409 && body) await this.lookAgain(body.pair_id);
    this.tell(`${body && reply?.status !== 409 ? "Not saved. " : ""}${said}`);
    return null;
  }

  /**
   * Somebody else decided meanwhile: their decision is shown, and what was typed stays. A key
   * counts once it can have been looked at.
   *
   * @param {number} pair
   */
  async lookAgain(pair) {
    const reply = await requestCase(`case/${pair}`);
    if (!reply?.ok || this.shown?.card.pair_id !== pair) return;
    this.keepComment();
    this.show(reply.json.case, true);
  }

  keepComment() {
    if (this.shown) this.comments.set(this.shown.card.pair_id, this.parts.comment.value);
  }

  /** @param {string} said */
  tell(said) {
    this.parts.told.textContent = said;
    this.parts.told.hidden = !said;
  }

  /**
   * @param {Case | null} found
   * @param {boolean} [unseen] whether it is to be looked at again before a key counts
   */
  show(found, unseen = false) {
    const { parts } = this;
    const again = found && this.shown?.card.pair_id === found.card.pair_id;
    this.shown = found;
    parts.case.hidden = !found;
    parts.empty.hidden = Boolean(found);
    if (!found) return this.showNothing();
    const { card, authors, gold, votes } = found;
    parts.head.textContent = this.headLine(found);
    part(parts.actions, "[data-act=reopen]").hidden = !found.decided;
    part(parts.actions, "[data-act=gold] span").textContent = gold ? "No longer gold" : "Make gold";
    fillQuestion(parts, card);
    SIDES.forEach((side, index) => {
      const spans = votes.flatMap((vote) => vote.spans).filter((span) => span.side === side);
      plain(parts[side].text, card[side].text, spans, []);
      parts[side].author.textContent = authors[index] ?? "";
    });
    parts.comment.value = this.comments.get(card.pair_id) ?? "";
    fillVotes(parts.votes, found);
    for (const place of this.long) markMore(place);
    const drawn = this.viewer.show(card.images);
    if (!again || unseen) this.guard.watch(card, drawn, () => null);
  }

  showNothing() {
    const { head, empty } = this.parts;
    head.textContent = "";
    empty.replaceChildren(element("b", "", "Nothing to decide"),
      "Pairs come here when people disagree, skip them too often, or flag them.");
    if (this.past.length) empty.append(button("back", "←", "Back to the last pair"));
  }

  /** @param {Case} found */
  headLine({ card, why, waiting, decided, decided_by: lead, gold }) {
    const verdict = decided && { kind: decided[0], winner: decided[1], strength: "" };
    const by = lead === connection.user ? "" : ` by ${lead}`;
    const known = [verdict ? `decided${by}: ${voteWords(verdict)}` : why, gold && "gold",
      `${many(waiting, "pair")} to decide`];
    return `Pair ${card.pair_id}: ${known.filter(Boolean).join(" · ")}`;
  }

  /**
   * @param {string} kind
   * @param {Side | null} winner
   */
  async decide(kind, winner) {
    if (!this.shown) return;
    // The version says which case was looked at: one that somebody decided since is refused.
    const { card: { pair_id: pair, showing }, version } = this.shown;
    const comment = this.parts.comment.value;
    const body = { key: newKey(), pair_id: pair, showing, kind, winner, comment, version };
    if (!(await this.ask("decide", body))) return;
    // What was typed after that goes with no decision yet.
    if (this.parts.comment.value !== comment) this.keepComment();
    this.past.push(pair);
    await this.next(pair);
  }

  // The decision that stands, or the one answer everybody gave, becomes the known right one.
  async gold() {
    if (!this.shown) return;
    const { card, gold, gold_version } = this.shown;
    const answer = goldAnswer(this.shown);
    if (!gold && !answer) {
      this.tell("Decide the pair, go back to it with ←, then make it gold.");
      return;
    }
    const told = { pair_id: card.pair_id, gold_version };
    const [kind, winner] = answer ?? [];
    const explanation = this.parts.comment.value.slice(0, LONGEST_EXPLANATION);
    const made = { ...told, showing: card.showing, kind, winner, explanation };
    const reply = await this.ask("gold", gold ? told : made);
    this.keepComment();
    if (reply) this.show(reply.case);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = targetOf(event);
    const leaves = event.key === "Escape" || event.key === "Enter";
    if (leaves && target === this.parts.comment) {
      if (event.key === "Enter") this.guard.afterText();
      return target.blur();
    }
    if (takesText(target)) return;
    if (event.key === "Escape" && this.viewer.isFull) return void this.viewer.full(false);
    this.guard.press(event, DECIDE_KEYS, (action) => this.act(action));
  }
}

/**
 * Brings Decide to life; Gradio may build its place again.
 *
 * @param {Pick<import("../shared/gradio-bridge.js").Component, "element">} component
 */
export const attachAdjudication = ({ element: place }) => {
  const root = place.querySelector("[data-team]");
  if (root instanceof HTMLElement && adjudication?.root !== root) {
    adjudication = new Adjudication(root, chosen);
  }
};

/**
 * Shows the cases of a dataset; of all without a name.
 *
 * @param {string | null} dataset
 */
export const adjudicate = (dataset) => {
  chosen = dataset ?? "";
  adjudication?.turnTo(chosen);
};

/** @param {KeyboardEvent} event */
const takeKey = (event) => {
  if (!adjudication?.visible || event.repeat || composing(event)) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (!document.querySelector("dialog[open]")) adjudication.key(event);
};

/** Hands the page's keys to the pair that is decided. */
export const startAdjudicationKeys = () => document.addEventListener("keydown", takeKey);
