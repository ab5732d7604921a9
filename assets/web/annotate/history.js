// Looking back through one's answers, newest first, and on again to the pair that was on show.
import { requestCard, requestHistory } from "./requests.js";

/** Answers that are read at once. */
export const MOST = 200;

/** @typedef {import("./label-fields.js").Card} Card */
/**
 * @typedef {object} Review
 * @property {number[]} pairs those answered, newest first
 * @property {number} at the one on show; -1 before the first
 * @property {number | null} before the label before which the next listing begins
 * @property {boolean} more whether the server may have further ones
 */
/**
 * What looking back asks of the page.
 *
 * @typedef {object} HistoryPage
 * @property {Card | null} shown
 * @property {Card | null} held the pair that was on show before looking back
 * @property {{holds: (pair: number) => boolean}} outbox
 * @property {(card: Card) => void} show
 * @property {() => void} showNext
 * @property {(text: string) => void} notice
 * @property {() => void} closeNotice
 * @property {(words: string) => void} say
 */

export class History {
  /** @param {HistoryPage} page */
  constructor(page) {
    this.page = page;
    /** @type {Review | null} */
    this.review = null;
    /** Whether a pair of the past is on show. */
    this.away = false;
    this.reading = false;
  }

  stop() {
    this.review = null;
    this.away = false;
  }

  /**
   * Goes one answer back, or one on.
   *
   * @param {1 | -1} step
   */
  async step(step) {
    const { page } = this;
    if (this.reading) return page.say("Not counted: your answers are being read");
    if (!this.review && step < 0) return page.say("There is nothing further on");
    const review = this.review ?? { pairs: [], at: -1, before: null, more: true };
    const at = review.at + step;
    if (at >= review.pairs.length && review.more && !(await this.read(review))) return;
    if (at >= review.pairs.length) return page.say("There is nothing further back");
    this.review = review;
    if (at < 0) return this.backToWork();
    review.at = at;
    await this.at(review.pairs[at]);
  }

  /**
   * Reads the next answers of the past.
   *
   * @param {Review} review
   * @returns {Promise<boolean>} whether they could be read
   */
  async read(review) {
    this.reading = true;
    const reply = await requestHistory(MOST, review.before);
    this.reading = false;
    if (!reply?.ok) {
      this.page.notice("Your answers cannot be read just now.");
      return false;
    }
    const { entries } = reply.json;
    // Only answers that stand: what was undone or replaced is no answer any more.
    review.pairs.push(...entries.filter((entry) => entry.current).map((entry) => entry.pair_id));
    review.before = entries.at(-1)?.label_id ?? null;
    review.more = entries.length === MOST;
    return true;
  }

  /**
   * Shows a pair as the server has it.
   *
   * @param {number} pair
   */
  async at(pair) {
    const { page } = this;
    // What the server has of a pair is old while an answer to it is on its way.
    if (page.outbox.holds(pair)) return page.notice("Wait until all is saved.");
    const reply = await requestCard(pair);
    if (!reply?.ok) return page.notice("That pair cannot be read just now.");
    // The pair that was on show is held: it comes back, and nobody else has got it.
    if (page.shown && !page.shown.current) page.held ??= page.shown;
    page.closeNotice();
    this.away = true;
    page.show(reply.json);
  }

  backToWork() {
    const { page } = this;
    const card = page.held;
    this.stop();
    page.held = null;
    page.shown = null;
    if (card) page.show(card);
    else page.showNext();
  }
}
