// When a pair counts as seen, and when a key was meant for it. A pair is seen when its images are
// drawn or have failed, and a moment has passed in which nobody can have looked at it. Shorter than
// that is the time between two letters of a hasty text.
// A key pressed before that was meant for the pair before, or for none; what follows it is text
// somebody goes on typing, so no letter counts until there is a pause. A single letter right after a
// text was finished waits for that pause: it is a key when nothing follows it. What does not count is
// said, always.
import { element } from "../shared/dom.js";
import { actionOf, keyName, pressable, targetOf } from "./keys.js";

export const MOMENT_MS = 400;
export const PAUSE_MS = 700;
export const AFTER_TEXT_MS = 350;
const HINT_MS = 1800;
const EARLY = "Not counted: this pair has only just appeared";
const TYPING = "Not counted: letters count again after a short pause";
/** @param {string} name */
const waits = (name) => `${name.toUpperCase()}: one moment, in case you are still typing`;

const frame = () => new Promise((done) => requestAnimationFrame(done));
const moment = () => new Promise((done) => setTimeout(done, MOMENT_MS));

/**
 * Makes the line in which is said what did not count.
 *
 * @param {HTMLElement} place is there also while no pair is
 */
export const hintLine = (place) => {
  const made = element("div", "an-early", "", { role: "status" });
  place.append(made);
  return made;
};

export class KeyGuard {
  /**
   * @param {Pick<HTMLElement, "toggleAttribute">} work carries data-seen while the pair on it may
   *   be judged, by a key too
   * @param {{textContent: string | null}} hint the line in which hints are said
   */
  constructor(work, hint) {
    this.work = work;
    this.hint = hint;
    /** @type {object | null} */
    this.card = null;
    this.drawn = false;
    this.quietUntil = 0;
    this.finished = false;
    /** @type {{name: string} | null} */
    this.held = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.marking = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /**
   * Calls onSeen() when `card` may be judged, unless another pair came meanwhile.
   *
   * @param {object} card
   * @param {Promise<unknown> | void} images
   * @param {() => void} onSeen
   */
  async watch(card, images, onSeen) {
    this.card = card;
    this.drawn = false;
    this.mark();
    await images;
    await frame();
    await frame();
    if (this.card === card) onSeen();
    await moment();
    if (this.card !== card) return;
    this.drawn = true;
    this.mark();
  }

  /** No pair is on show any more. */
  leave() {
    this.card = null;
    this.drawn = false;
    this.mark();
  }

  mark() {
    clearTimeout(this.marking);
    const left = this.quietUntil - performance.now();
    this.work.toggleAttribute("data-seen", this.drawn && left <= 0);
    if (left > 0) this.marking = setTimeout(() => this.mark(), left);
  }

  /** Whether the pair on show can have been looked at; says so on the page when not. */
  judged() {
    if (this.drawn) return true;
    this.missed(EARLY);
    return false;
  }

  /**
   * What was pressed does nothing, and why; what follows may be a text.
   *
   * @param {string} why
   */
  missed(why) {
    this.say(why);
    this.quiet();
  }

  // No letter counts until nothing was typed for a moment.
  quiet(how = PAUSE_MS) {
    this.finished = false;
    this.quietUntil = Math.max(this.quietUntil, performance.now() + how);
    this.mark();
  }

  /** A text was finished with Enter: whoever took that for a new line types on. */
  afterText() {
    this.quiet(AFTER_TEXT_MS);
    this.finished = true;
  }

  /**
   * Does what a key stands for, when it counts; a space on a button presses that button.
   *
   * @param {KeyboardEvent} event
   * @param {Readonly<Record<string, string>>} keys the action of each key
   * @param {(action: string) => void} act
   */
  press(event, keys, act) {
    const name = keyName(event);
    if (name === " " && pressable(targetOf(event))) return;
    const action = actionOf(keys, name);
    const todo = action === null ? null : () => act(action);
    const letter = name.length === 1;
    if (letter && this.ignores(name, todo)) return event.preventDefault();
    if (todo) {
      event.preventDefault();
      todo();
    } else if (letter) this.quiet(); // one of a text that goes nowhere
  }

  /**
   * Whether a letter does not count now: it is one of a text that somebody goes on typing, or may
   * be, and then `act` is done after a pause.
   *
   * @param {string} name
   * @param {(() => void) | null} act null where the letter is no key
   */
  ignores(name, act) {
    if (performance.now() >= this.quietUntil) return false;
    const first = this.finished && (!this.held || this.held.name === name);
    if (first && act && this.drawn) this.hold(name, act);
    else {
      this.held = null;
      this.missed(TYPING);
    }
    return true;
  }

  /**
   * The key counts for the pair it was pressed on, when no other letter follows it.
   *
   * @param {string} name
   * @param {() => void} act
   */
  hold(name, act) {
    const { card } = this;
    const held = { name };
    this.held = held;
    this.quiet();
    this.finished = true;
    this.say(waits(name));
    setTimeout(() => {
      if (this.held !== held) return;
      this.held = null;
      this.quietUntil = 0;
      this.mark();
      if (this.card !== card) this.missed(EARLY);
      else {
        this.say("");
        act();
      }
    }, PAUSE_MS);
  }

  /** @param {string} words */
  say(words) {
    this.hint.textContent = words;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.hint.textContent = ""), HINT_MS);
  }
}
