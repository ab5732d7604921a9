// The pairs that wait: asked from the server, three at a time, with their images fetched ahead.
import { requestNext, sendHeartbeat, sendLeave } from "./requests.js";

const AHEAD = 3;
const MOST_AHEAD = 5;
const BEAT_MS = 60000;
const RENEW_MS = 180000;
const ASLEEP_MS = 300000;
const COUNT_MS = 60000;

/** @typedef {import("./label-fields.js").Card} Card */
/** @typedef {import("./label-fields.js").NextReply} NextReply */
/** @typedef {Pick<import("./outbox.js").Outbox, "entries" | "holds" | "problem" | "loggedOut">} Box */
/**
 * What the page tells the queue and hears of it.
 *
 * @typedef {object} QueuePage
 * @property {() => void} onCards called when there are new pairs
 * @property {(reply: NextReply | null) => void} onReply called after every answer of the server
 * @property {(images: string[]) => void} prefetch
 * @property {() => boolean} idle whether nothing is on show, and pairs are asked for instead of held
 * @property {() => boolean} drafting whether there is text whose pair is not given up
 */

export class Queue {
  /**
   * @param {Box} outbox
   * @param {QueuePage} page
   */
  constructor(outbox, page) {
    this.outbox = outbox;
    this.page = page;
    /** @type {Card[]} */
    this.waiting = [];
    /** @type {Map<number, number>} */
    this.versions = new Map();
    this.dataset = "";
    this.loaded = 0;
    this.counted = 0;
    this.stamp = 0;
    this.touched = Date.now();
    setInterval(() => this.beat(), BEAT_MS);
    addEventListener("pagehide", () => this.leave());
  }

  /** What is asked for: enough for the answers on their way, and the counts now and then. */
  wanted() {
    const count = Math.min(MOST_AHEAD, AHEAD + this.outbox.entries.length);
    const progress = Date.now() - this.counted > COUNT_MS && !this.outbox.entries.length;
    return { dataset: this.dataset || null, count, progress };
  }

  /**
   * Asks for pairs.
   *
   * @param {() => Card | null} shown gives the pair on show, which is not to come again
   */
  async refill(shown) {
    const wanted = this.wanted();
    const reply = await requestNext(wanted);
    if (!reply) return;
    if (reply.ok) this.came(reply.json, wanted.dataset, shown());
    else {
      this.outbox.problem = reply.json.message || "the server does not answer";
      this.outbox.loggedOut = reply.status === 401;
      this.page.onReply(null);
    }
  }

  /**
   * @param {NextReply} reply
   * @param {string | null} dataset the one it was asked for
   * @param {Card | null} shown
   */
  came(reply, dataset, shown) {
    // Another dataset was chosen meanwhile.
    if ((dataset ?? "") !== this.dataset) return;
    this.loaded = Date.now();
    if (!this.outbox.entries.length) Object.assign(this.outbox, { problem: "", loggedOut: false });
    this.stamp = reply.stamp;
    this.page.onReply(reply);
    // Counts that come while answers wait are not shown: they are asked for again.
    if (reply.progress && !this.outbox.entries.length) this.counted = this.loaded;
    this.merge(reply.cards, shown);
  }

  /**
   * Takes pairs that are new. A reply may have left before our latest answers arrived: those pairs
   * are not, and whoever got them again would answer them twice.
   *
   * @param {Card[]} cards
   * @param {Card | null} shown
   */
  merge(cards, shown) {
    this.waiting = cards.filter((card) =>
      card.pair_id !== shown?.pair_id && !this.outbox.holds(card.pair_id) &&
      card.version >= (this.versions.get(card.pair_id) ?? 0));
    this.page.prefetch(this.waiting.flatMap((card) => card.images));
    this.page.onCards();
  }

  /**
   * Notes how often a pair was answered and undone. That only ever grows, whatever order the
   * server's replies come in.
   *
   * @param {number} pair
   * @param {number} version
   */
  grow(pair, version) {
    this.versions.set(pair, Math.max(version, this.versions.get(pair) ?? 0));
  }

  take() {
    return this.waiting.shift();
  }

  /** @param {Card} card */
  putBack(card) {
    this.drop(card.pair_id);
    this.waiting.unshift(card);
  }

  /** @param {number} pair */
  drop(pair) {
    this.waiting = this.waiting.filter(({ pair_id }) => pair_id !== pair);
  }

  get isLow() {
    return this.waiting.length < AHEAD - 1;
  }

  get isOld() {
    return Date.now() - this.loaded > RENEW_MS;
  }

  /** Whoever works keeps the pairs they hold; a forgotten tab gives them up in time. */
  beat() {
    if (this.page.idle()) return;
    if (document.hidden || !this.loaded || Date.now() - this.touched > ASLEEP_MS) return;
    sendHeartbeat();
  }

  leave() {
    // An answer on its way, or a text, still needs its pair.
    if (!this.stamp || this.outbox.entries.length || this.page.drafting()) return;
    sendLeave(this.stamp);
  }
}
