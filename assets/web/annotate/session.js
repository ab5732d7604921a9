// One person's annotating: which pair is shown, what a key or a button does, and what goes into the
// outbox. One pair is shown, the next two wait with their images fetched; the server decides which.
import { connection } from "../shared/connection.js";
import { ASPECT_ACTS, AnswerDetails } from "./answer-details.js";
import { Draft } from "./drafts.js";
import { SAVING, emptyState } from "./empty-state.js";
import { GoldMark } from "./gold.js";
import { Guidelines } from "./guidelines.js";
import { History } from "./history.js";
import { KeyGuard, hintLine } from "./key-guard.js";
import { KEYS, SCROLL, movesImage, pressable, takesText, targetOf } from "./keys.js";
import { scroll } from "./long-texts.js";
import { WordMarker } from "./marked-words.js";
import { Outbox } from "./outbox.js";
import * as page from "./page-layout.js";
import { counted, many } from "./progress.js";
import { Queue } from "./queue.js";
import { requestDatasets, undoLatest } from "./requests.js";
import { Viewer, prefetch } from "./viewer.js";

/** @typedef {import("./label-fields.js").Card} Card */
/** @typedef {import("./label-fields.js").Side} Side */
/** @typedef {import("./label-fields.js").Kind} Kind */
/** @typedef {import("./label-fields.js").NextReply} NextReply */
/** @typedef {import("./label-fields.js").ShownAnswer} ShownAnswer */
/** @typedef {import("./outbox.js").Entry} Entry */
/** @typedef {import("./outbox.js").SentReply} SentReply */
/** @typedef {Card & {before: ShownAnswer | null}} DoneCard A card as its answer left it. */
/** @typedef {Partial<import("./label-fields.js").KindDetails & {ideal: string, strength: import("./label-fields.js").Strength}>} More */
/** @typedef {(element?: HTMLElement) => unknown} Action */
/** @typedef {(name: string, data: object) => void} Trigger Calls a handler in Python. */

const ANSWERS = ["left", "right", "tie", "both_good", "unsure", "skip-reason", "editor-save",
  "left-slightly", "left-clearly", "right-slightly", "right-clearly"];
/** What is done to the pair on show, or said about it. */
const OF_PAIR = [...ANSWERS, "skip", "edit", "ideal", "comment", "both-bad", "flag", "mark",
  "differences", "gold", "zoom-in", "zoom-out", "zoom-fit", "rotate", "full", ...ASPECT_ACTS];
const DAY_MS = 86400000;
const NO_PAIR = "Not counted: there is no pair on show";

export class Session {
  /**
   * @param {HTMLElement} root
   * @param {Trigger} trigger
   */
  constructor(root, trigger) {
    this.root = root;
    this.trigger = trigger;
    /** @type {Card | null} */
    this.shown = null;
    /** @type {Card | null} The pair that was on show before looking back. */
    this.held = null;
    /** @type {Draft | null} */
    this.draft = null;
    /** @type {DoneCard[]} Answers of this page that can be undone, the latest last. */
    this.done = [];
    /** @type {number[]} Pairs whose answers were refused, the first of them first. */
    this.refused = [];
    /** @type {import("./label-fields.js").Progress | null} */
    this.progress = null;
    /** @type {import("./label-fields.js").DatasetView[]} */
    this.datasets = [];
    /** @type {import("./label-fields.js").Standing} */
    this.standing = {};
    this.differing = false;
    this.lead = false;
    this.acknowledged = false;
    this.since = 0;
    this.hiddenAt = 0;
    this.parts = page.build(root);
    this.viewer = new Viewer(this.parts.stage, this.parts.zoom);
    this.outbox = new Outbox(() => this.showStatus(), (entry, reply) => this.sent(entry, reply));
    this.queue = new Queue(this.outbox, {
      onCards: () => this.cameIn(),
      onReply: (reply) => this.heard(reply),
      prefetch,
      idle: () => this.lookAgain(),
      drafting: () => Boolean(this.draft?.written),
    });
    this.guard = new KeyGuard(this.parts.work, hintLine(root));
    this.details = new AnswerDetails(this);
    this.history = new History(this);
    this.guidelines = new Guidelines(this.parts, () => this.outbox.owner);
    this.gold = new GoldMark(this);
    this.marker = new WordMarker(this);
    this.acts = this.actions();
    this.listen();
  }

  listen() {
    const { root } = this;
    root.addEventListener("click", (event) => {
      const pressed = targetOf(event)?.closest("[data-act]");
      const act = pressed instanceof HTMLElement ? pressed.dataset.act : undefined;
      // The second click of a double click would answer the next pair unseen.
      if (!act || (event.detail > 1 && ANSWERS.includes(act))) return;
      this.act(act, /** @type {HTMLElement} */ (pressed));
    });
    this.parts.dataset.addEventListener("change", () => this.choose(this.parts.dataset.value));
    this.leaveTheList();
    new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.load();
    }).observe(root);
    addEventListener("resize", () => this.fit());
    document.addEventListener("visibilitychange", () => this.pause());
  }

  // Chosen with the mouse, the list gives the keys back to the pair; with the arrows one goes on.
  leaveTheList() {
    const { dataset } = this.parts;
    let pointed = false;
    dataset.addEventListener("pointerdown", () => (pointed = true));
    dataset.addEventListener("keydown", () => (pointed = false));
    dataset.addEventListener("change", () => pointed && dataset.blur());
  }

  get visible() {
    return this.root.isConnected && this.root.getClientRects().length > 0 && !document.hidden;
  }

  /** @returns {Record<string, Action>} */
  actions() {
    /** @param {Side} side @param {import("./label-fields.js").Strength} strength */
    const better = (side, strength) => () => this.answer("choose", side, { strength });
    return {
      left: () => this.details.choose("left") || better("left", "")(),
      right: () => this.details.choose("right") || better("right", "")(),
      "left-slightly": better("left", "slightly"),
      "right-slightly": better("right", "slightly"),
      "left-clearly": better("left", "clearly"),
      "right-clearly": better("right", "clearly"),
      tie: () => this.answer("tie"),
      both_good: () => this.answer("both_good"),
      unsure: () => this.answer("unsure"),
      ...this.details.actions(),
      back: () => this.history.step(1),
      forward: () => this.history.step(-1),
      help: () => this.parts.help.showModal(),
      "help-close": () => this.parts.help.close(),
      guidelines: () => this.guidelines.toggle(this.shown?.dataset || this.queue.dataset),
      differences: () => this.toggleDifferences(),
      gold: () => this.gold.toggle(),
      undo: () => this.undo(),
      "zoom-in": () => this.viewer.zoomBy(1),
      "zoom-out": () => this.viewer.zoomBy(-1),
      "zoom-fit": () => this.viewer.zoomTo(1),
      rotate: () => this.viewer.rotate(),
      full: () => this.viewer.full(),
      "notice-close": () => this.closeNotice(),
      "notice-look": () => this.lookAtRefused(),
      "drop-earlier": () => this.dropEarlier(),
      "import-samples": () => this.trigger("upload", {}),
      "export-now": () => this.trigger("download", { dataset: this.queue.dataset }),
      "look-again": () => this.load(),
      "export-form": () => page.openForm(),
    };
  }

  /**
   * Does what a key or a button stands for.
   *
   * @param {string} name
   * @param {HTMLElement} [element] the button
   */
  act(name, element) {
    this.queue.touched = Date.now();
    const onShow = this.shown && !this.parts.work.hidden;
    if (!onShow && OF_PAIR.includes(name)) this.guard.missed(NO_PAIR);
    else this.acts[name]?.(element);
  }

  // What is said

  /**
   * Says something above the pair, until it is closed.
   *
   * @param {string} text
   * @param {[action: string, label: string][]} [buttons]
   * @param {string} [tone]
   */
  notice(text, buttons = [], tone = "") {
    page.showNotice(this.parts, text, buttons, tone);
  }

  closeNotice() {
    this.parts.notice.hidden = true;
  }

  /** @param {string} words */
  say(words) {
    this.guard.say(words);
  }

  /** @param {string} why */
  missed(why) {
    this.guard.missed(why);
  }

  // Pairs from the server

  // The page ends where the window does, whatever stands above it.
  fit() {
    if (!this.visible) return;
    const top = this.root.getBoundingClientRect().top + scrollY;
    this.root.style.setProperty("--an-top", `${Math.round(top)}px`);
  }

  /** Asks for datasets, pairs and counts anew. */
  async load() {
    this.fit();
    await this.refreshDatasets();
    this.queue.counted = 0;
    await this.refill();
  }

  async refreshDatasets() {
    const reply = await requestDatasets();
    if (!reply?.ok) return;
    const { queue } = this;
    this.datasets = reply.json;
    if (queue.dataset && !this.datasets.some(({ name }) => name === queue.dataset)) {
      queue.dataset = "";
    }
    page.fillDatasets(this.parts, this.datasets, queue.dataset);
  }

  /** Asks for pairs where some may have come: colleagues hold what is left, or there were none. */
  lookAgain() {
    const { waiting = 0, total = 0 } = this.progress ?? {};
    const waits = this.visible && !this.shown && (waiting > 0 || !total);
    if (waits) this.refill();
    return waits;
  }

  refill() {
    return this.queue.refill(() => this.shown);
  }

  /** @param {NextReply | null} reply */
  heard(reply) {
    if (reply) {
      this.lead = reply.lead;
      this.root.classList.toggle("lead", this.lead);
      this.standing = reply.standing;
      this.parts.exporting.hidden = !this.lead;
      if (connection.own) this.belongTo(connection.own);
      // Counts that left before our latest answers arrived are behind those on the page.
      if (reply.progress && !this.outbox.entries.length) this.progress = reply.progress;
    }
    this.showStatus();
  }

  /**
   * Says whose answers these are; what an earlier account of the same name left here is told, not
   * sent.
   *
   * @param {import("../shared/page-events.js").Identity} own
   */
  belongTo(own) {
    const known = this.outbox.owner !== null;
    this.outbox.setUser(own);
    const left = known ? 0 : this.outbox.earlier().length;
    if (!left) return;
    const text = `${many(left, "answer")} in this browser came from an earlier account called ` +
      `${own.user}: never sent in your name.`;
    this.notice(text, [["drop-earlier", "Delete"]]);
  }

  dropEarlier() {
    for (const name of this.outbox.earlier()) localStorage.removeItem(name);
    this.closeNotice();
  }

  cameIn() {
    if (!this.shown) this.showNext();
    else this.showProgress();
  }

  // Time with the page hidden is not time spent on the pair.
  pause() {
    if (document.hidden) this.hiddenAt = performance.now();
    else if (this.hiddenAt) this.since += performance.now() - this.hiddenAt;
    // Somebody who comes back may have logged in, or found the network again.
    if (document.hidden) return;
    if (this.outbox.user !== null) this.outbox.collect();
    if (!this.outbox.problem) return;
    this.outbox.flush();
    this.refill();
  }

  /**
   * Turns to the pairs of a dataset; of all with an empty name.
   *
   * @param {string} dataset
   */
  choose(dataset) {
    this.shown = null;
    this.held = null;
    this.details.close();
    this.guard.leave();
    Object.assign(this.queue, { dataset, waiting: [], counted: 0 });
    page.fillDatasets(this.parts, this.datasets, dataset);
    this.history.stop();
    this.refill();
  }

  // What is shown

  showNext() {
    this.history.stop();
    const card = this.queue.take();
    if (card) this.show(card);
    else this.showNothing();
  }

  /** @param {Card} card */
  show(card) {
    const sameImages = this.shown && String(this.shown.images) === String(card.images);
    this.shown = card;
    this.draft = new Draft(this.outbox.named.owner, card.pair_id, card.current);
    this.since = performance.now();
    this.details.close();
    this.marker.stop();
    this.parts.empty.hidden = true;
    this.parts.work.hidden = false;
    page.fill(this.parts, card, this.draft.values, this.differing);
    page.reveal(this.parts);
    page.announce(this.parts, card);
    this.guidelines.announce(card);
    const drawn = sameImages && this.parts.stage.children.length
      ? this.viewer.zoomTo(1) : this.viewer.show(card.images);
    // The time of an answer begins when there is something to judge.
    this.guard.watch(card, drawn, () => (this.since = performance.now()));
    this.showProgress();
  }

  redraw() {
    if (!this.shown || !this.draft) return;
    this.draft.keep();
    page.fillDraft(this.parts, this.shown, this.draft.values, this.differing);
  }

  toggleDifferences() {
    if (!this.shown) return;
    this.differing = !this.differing;
    this.redraw();
  }

  async showNothing() {
    this.shown = null;
    this.parts.stage.replaceChildren();
    this.viewer.full(false);
    this.showProgress();
    if (this.outbox.entries.length) return page.showEmpty(this.parts, SAVING);
    await this.refreshDatasets();
    const { progress, datasets, lead, standing } = this;
    const state = { progress, datasets, lead, standing, dataset: this.queue.dataset };
    if (!this.shown) page.showEmpty(this.parts, emptyState(state));
  }

  showProgress() {
    if (this.progress) page.fillProgress(this.parts, this.progress);
  }

  showStatus() {
    page.fillStatus(this.parts, this.outbox, this.acknowledged);
  }

  // Answers

  /**
   * Gives an answer to the pair on show, and shows the next one without waiting for the server.
   *
   * @param {Kind} kind
   * @param {Side | null} [winner]
   * @param {More} [more] what goes with this kind only
   */
  answer(kind, winner = null, more = {}) {
    const { shown: card, draft } = this;
    if (!card || !draft || this.parts.work.hidden) return this.guard.missed(NO_PAIR);
    if (!this.guard.judged()) return undefined;
    const elapsed = Math.round(performance.now() - this.since);
    this.outbox.addSave({
      pair_id: card.pair_id, showing: card.showing, kind, winner,
      expected_version: card.version, elapsed_ms: Math.min(elapsed, DAY_MS),
      guideline: card.guideline, next: this.queue.wanted(),
      ...draft.body(), ...more,
    });
    const before = card.current;
    this.done.push({ ...card, version: card.version + 1, before });
    this.queue.grow(card.pair_id, card.version + 1);
    if (!before) this.count(1);
    // Not before the outbox has it: what was typed is in one of them at every moment.
    draft.forget();
    this.shown = null;
    if (this.held) this.queue.putBack(this.held);
    this.held = null;
    return this.showNext();
  }

  /** @param {1 | -1} step */
  count(step) {
    if (!this.progress) return;
    this.progress = counted(this.progress, step, this.queue.waiting.length);
    this.showProgress();
  }

  /** Takes back the latest answer of this page, or of before it. */
  async undo() {
    // Only what the chosen dataset shows is taken back.
    const chosen = this.queue.dataset;
    const last = this.done.filter((card) => !chosen || card.dataset === chosen).at(-1);
    if (!last) return this.undoEarlier();
    this.done.splice(this.done.lastIndexOf(last), 1);
    // An answer given again after this one has made the pair newer than this one left it.
    const version = Math.max(last.version, this.queue.versions.get(last.pair_id) ?? 0) + 1;
    const expects = { version, kind: last.before?.kind, winner: last.before?.winner };
    const dataset = this.queue.dataset || null;
    this.outbox.addUndo({ pair_id: last.pair_id, showing: last.showing, dataset }, expects);
    this.queue.grow(last.pair_id, version);
    if (!last.before) this.count(-1);
    this.bringBack({ ...last, version, current: last.before });
  }

  // An answer from before this page was loaded: only the server knows which.
  async undoEarlier() {
    if (this.outbox.entries.length) return this.notice("Wait until all is saved.");
    const dataset = this.queue.dataset || null;
    const reply = await undoLatest(dataset);
    if (!reply?.ok) return this.notice("Undo needs the connection; try again.");
    const { card, progress } = reply.json;
    if (!card) {
      return this.notice(dataset ? `Nothing more of yours to take back here, in ${dataset}.`
        : "There is nothing to undo.");
    }
    this.queue.grow(card.pair_id, card.version);
    this.progress = progress;
    this.bringBack(card);
    this.refill();
  }

  /** @param {Card} card */
  bringBack(card) {
    const pending = this.held ?? (this.history.review ? null : this.shown);
    if (pending && pending.pair_id !== card.pair_id) this.queue.putBack(pending);
    this.held = null;
    this.history.stop();
    this.queue.drop(card.pair_id);
    this.show(card);
  }

  /**
   * An answer, or an undo, has left the outbox.
   *
   * @param {Entry} entry
   * @param {SentReply} reply
   */
  sent(entry, reply) {
    if (reply.ok) {
      this.acknowledged = true;
      const { saved, next, card, progress } = reply.json;
      if (entry.path === "undo" && card && progress) this.agree(entry.expects, card, progress);
      if (saved?.feedback) this.notice(saved.feedback);
      if (entry.path === "save" && next) {
        return this.queue.came(next, entry.body.next.dataset, this.shown);
      }
    } else this.refuse(entry, reply.json);
    if (!this.outbox.entries.length || this.queue.isLow) this.refill();
    return undefined;
  }

  /**
   * Takes over what the server says of a pair that was undone. An answer to its second showing,
   * which nothing here tells from another pair, may have made it newer than was thought: then so
   * are the answers that wait.
   *
   * @param {import("./outbox.js").Expected | undefined} expects
   * @param {Card} card
   * @param {import("./label-fields.js").Progress} progress
   */
  agree(expects, card, progress) {
    if (!this.outbox.entries.length) this.progress = progress;
    const { kind, winner } = card.current ?? {};
    const same = expects && (expects.kind ?? null) === (kind ?? null) &&
      (expects.winner ?? null) === (winner ?? null);
    if (same && card.version > expects.version) {
      this.shift(card.pair_id, card.version - expects.version);
    }
    this.queue.grow(card.pair_id, card.version);
  }

  /**
   * Moves everything known here of the versions of a pair.
   *
   * @param {number} pair
   * @param {number} step
   */
  shift(pair, step) {
    const known = [this.shown, this.held, ...this.done];
    for (const card of known) if (card?.pair_id === pair) card.version += step;
    this.queue.versions.set(pair, (this.queue.versions.get(pair) ?? 0) + step);
    this.outbox.shift(pair, step);
  }

  /**
   * The server refused an answer for good: what was typed is a draft again, and the page says so.
   *
   * @param {Entry} entry
   * @param {import("./label-fields.js").Refusal} refusal
   */
  refuse(entry, { message, remedy }) {
    const pair = entry.body.pair_id;
    // Taken back already: the pair is as it was before both.
    if (entry.path === "save" && this.outbox.withdraw(pair)) return this.shift(pair, -2);
    this.refused = [...this.refused.filter((other) => other !== pair), pair];
    this.done = this.done.filter(({ pair_id }) => pair_id !== pair);
    this.queue.versions.delete(pair); // The server knows better.
    if (entry.path === "save") Draft.restore(this.outbox.named.owner, entry.body);
    const several = this.refused.length > 1;
    const what = several ? `${this.refused.length} answers were not saved.` : "An answer was not saved.";
    const look = several ? "Look at the first" : "Look at that pair";
    this.notice(`${what} ${message ?? ""} ${remedy ?? ""}`, [["notice-look", look]], "bad");
    return this.parts.notice.scrollIntoView({ block: "nearest" });
  }

  lookAtRefused() {
    const pair = this.refused.shift();
    if (pair !== undefined) this.history.at(pair);
  }

  // Keys

  /**
   * Closes the topmost of what is open. The bar is not in the way of work: it closes along with
   * looking back, or somebody who pressed Esc once would answer the same pair again.
   */
  escape() {
    const { notice, guidelines } = this.parts;
    if (this.viewer.isFull) {
      this.viewer.full(false);
      return;
    }
    const closed = !notice.hidden;
    notice.hidden = true;
    if (!guidelines.hidden) guidelines.hidden = !closed;
    else if (this.history.away) this.history.backToWork();
  }

  /**
   * Moves the image, scrolls the answers, or takes the one step there is; whether the key did so.
   *
   * @param {KeyboardEvent} event
   */
  moves(event) {
    const { key } = event;
    const target = targetOf(event);
    if (movesImage(event)) this.viewer.pan(key);
    else if (key in SCROLL) {
      const within = target?.closest(".an-text, .an-question, .an-guidelines");
      const { question, left, right } = this.parts;
      return !within && scroll(question, [left.text, right.text], SCROLL[key]);
    } else if (key === "Enter" && !pressable(target)) page.entered(this.parts)?.click();
    else return false;
    return true;
  }

  /**
   * Takes a key: an open panel first, then marking, then the pair.
   *
   * @param {KeyboardEvent} event
   */
  key(event) {
    const target = targetOf(event);
    if (this.details.key(event) || this.marker.key(event)) return;
    if (takesText(target)) return;
    if (event.key === "Escape") return this.escape();
    if (this.moves(event)) return event.preventDefault();
    if (this.queue.isOld) this.refill();
    this.guard.press(event, KEYS, (action) => {
      // A space this early stands between the words of a text.
      if (event.key !== " " || this.guard.judged()) this.act(action);
    });
  }

  /** What the parts of the page ask for: marking what is selected. */
  mark() {
    this.details.mark();
  }
}
