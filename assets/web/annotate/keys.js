// Which key does what: on the annotating page, and in Decide.

/** @type {Readonly<Record<string, string>>} */
export const KEYS = Object.freeze({
  1: "left", 2: "right", q: "left-slightly", w: "right-slightly", "!": "left-clearly",
  "@": "right-clearly", t: "tie", g: "both_good", b: "both-bad", u: "unsure", s: "skip",
  f: "flag", e: "edit", n: "ideal", c: "comment", m: "mark", d: "differences", l: "guidelines",
  z: "undo", "?": "help", "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", 0: "zoom-fit",
  r: "rotate", " ": "full", ArrowLeft: "back", ArrowRight: "forward", v: "notice-look", o: "gold",
  4: "aspect-0", 5: "aspect-1", 6: "aspect-2", 7: "aspect-3", 8: "aspect-4", 9: "aspect-5",
});

/** @type {Readonly<Record<string, string>>} */
export const DECIDE_KEYS = Object.freeze({
  1: "left", 2: "right", t: "tie", g: "both_good", b: "both_bad", x: "reopen", o: "gold",
  ArrowRight: "next", ArrowLeft: "back", z: "back", c: "comment", "+": "zoom-in", "=": "zoom-in",
  "-": "zoom-out", 0: "zoom-fit", r: "rotate", " ": "full",
});

/** @type {Readonly<Record<string, string>>} */
const SHIFTED = { Digit1: "!", Digit2: "@" };
/** @type {Readonly<Record<string, number>>} Pixels that one press scrolls a long text by. */
export const SCROLL = Object.freeze({ ArrowUp: -80, ArrowDown: 80 });

/** @typedef {{key: string, code: string, shiftKey: boolean}} Press The parts of an event that count. */

/**
 * Names a key: by the letter on its cap, also on keyboards of other scripts; Shift+1 is "!"
 * wherever that may be.
 *
 * @param {Press} event
 */
export const keyName = ({ key, code, shiftKey }) => {
  if (shiftKey && SHIFTED[code]) return SHIFTED[code];
  if (key.length > 1) return key;
  return /^[ -~]$/.test(key) ? key.toLowerCase() : code.replace(/^(Key|Digit)/, "").toLowerCase();
};

/**
 * What a key does; null when nothing.
 *
 * @param {Readonly<Record<string, string>>} keys
 * @param {string} name
 */
export const actionOf = (keys, name) => Object.hasOwn(keys, name) ? keys[name] : null;

/**
 * The element of an event, for what is asked of its surroundings; null of a document or window.
 *
 * @param {Event} event
 */
export const targetOf = ({ target }) =>
  target && "closest" in target ? /** @type {HTMLElement} */ (target) : null;

/**
 * Whether text is written in `target`: its letters are no keys.
 *
 * @param {Pick<Element, "closest"> | null} target
 */
export const takesText = (target) =>
  Boolean(target?.closest("input, textarea, select, [contenteditable=true]"));

/**
 * Whether Enter and space press `target`, unless that is the tab one is in already.
 *
 * @param {Pick<Element, "closest"> | null} target
 */
export const pressable = (target) => Boolean(target?.closest(
  "button:not([aria-selected=true]), a, [role=tab]:not([aria-selected=true])"));

/** @param {Pick<Press, "key" | "shiftKey">} event */
export const movesImage = ({ key, shiftKey }) => shiftKey && key.startsWith("Arrow");

/**
 * Whether a key goes on while it is held down. All others count once: a held key would answer pair
 * after pair.
 *
 * @param {Pick<Press, "key" | "shiftKey">} event
 */
export const goesOn = (event) => event.key in SCROLL || movesImage(event);

/**
 * Whether a key press is for an input method, which makes one letter of several keys.
 *
 * @param {Pick<KeyboardEvent, "isComposing" | "keyCode">} event
 */
export const composing = ({ isComposing, keyCode }) => isComposing || keyCode === 229;
