// Marking wrong words without a mouse: M, then arrows from word to word, M or Enter to mark.
import { wordPieces } from "./differences.js";
import { deselect, select } from "./answer-text.js";

const HOW = "Marking: ← → word, ⇧ → more words, 1 2 answer, M marks, Esc ends.";

/** @typedef {import("./label-fields.js").Side} Side */
/** @typedef {import("./label-fields.js").Span} Span */
/**
 * @typedef {object} MarkPage
 * @property {Record<Side, {text: HTMLElement}>} parts
 * @property {(text: string) => void} notice
 * @property {() => void} closeNotice
 * @property {() => void} mark marks what is selected
 * @property {(words: string) => void} say
 */

/**
 * The marks after a piece was selected: it is one more, or takes away those that it touches.
 *
 * @param {Span[]} spans
 * @param {Span} piece
 */
export const withMark = (spans, piece) => {
  const left = spans.filter((span) =>
    span.side !== piece.side || span.start >= piece.end || piece.start >= span.end);
  return left.length < spans.length ? left : [...left, piece];
};

export class WordMarker {
  /** @param {MarkPage} page */
  constructor(page) {
    this.page = page;
    /** @type {Side | ""} */
    this.side = "";
    this.from = 0;
    this.to = 0;
  }

  get on() {
    return this.side !== "";
  }

  /** @param {Side} [side] */
  start(side = "left") {
    this.side = side;
    this.from = 0;
    this.to = 0;
    this.page.notice(HOW);
    this.show();
  }

  stop() {
    if (!this.on) return;
    this.side = "";
    deselect();
    this.page.closeNotice();
  }

  show() {
    if (this.side === "") return;
    const place = this.page.parts[this.side].text;
    const words = wordPieces(place.textContent ?? "");
    if (!words.length) return;
    this.to = Math.max(0, Math.min(this.to, words.length - 1));
    this.from = Math.max(0, Math.min(this.from, this.to));
    select(place, words[this.from].start, words[this.to].end);
  }

  /**
   * @param {1 | -1} step
   * @param {boolean} more whether the word is one more
   */
  move(step, more) {
    this.to += step;
    if (!more) this.from = this.to;
    this.show();
  }

  /**
   * Takes a key while marking; whether it belonged to that.
   *
   * @param {KeyboardEvent} event
   */
  key(event) {
    const { key, shiftKey } = event;
    if (!this.on) return false;
    // Tab ends it, and goes on to what has the focus next.
    if (key === "Tab") {
      this.stop();
      return false;
    }
    event.preventDefault();
    if (key === "Escape") this.stop();
    else if (key === "ArrowRight") this.move(1, shiftKey);
    else if (key === "ArrowLeft") this.move(-1, shiftKey);
    else if (key === "1" || key === "2") this.start(key === "1" ? "left" : "right");
    else if (key === "Enter" || key.toLowerCase() === "m") {
      this.page.mark();
      this.show();
    } else if (key.length === 1) this.page.say("Not counted: Esc ends marking first");
    return true;
  }
}
