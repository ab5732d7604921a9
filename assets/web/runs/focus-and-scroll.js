// The Runs tab is drawn anew while one uses it. What one was at stays: the button that has the focus,
// findings that were opened, the place in the log.

import { listen } from "../shared/page-events.js";

/** @typedef {Record<string, string | undefined>} Names What a button carries in its `data-` names. */
/** @typedef {{ element: HTMLElement, id: string, data: Names }} FocusedButton */

const NAMES = ["run", "act", "step", "use"];

/**
 * Finds the button that stands now for one that was drawn before.
 *
 * A queue's end has no further up or down, and weights that are taken are not taken again: then it
 * is another button of the same run or checkpoint.
 *
 * @param {Names[]} buttons
 * @param {Names} before
 * @returns {number} Its place; -1 for none.
 */
export const twinOf = (buttons, before) => {
  const same = buttons.findIndex((button) =>
    NAMES.every((name) => (button[name] ?? "") === (before[name] ?? "")));
  if (same >= 0) return same;
  return buttons.findIndex((button) =>
    (before.act && before.run && button.run === before.run)
    || (before.use && button.step === before.use));
};

/** Gives the focus back to the button that was drawn anew under it. */
class FocusKeeper {
  constructor() {
    /** @type {FocusedButton | null} */
    this.focused = null;
    document.addEventListener("focusin", ({ target }) => this.entered(target));
    document.addEventListener("focusout", ({ target }) => this.left(target));
  }

  /** @param {EventTarget | null} target */
  entered(target) {
    const list = target instanceof HTMLButtonElement && target.closest("#run-list, #run-checkpoints");
    this.focused = list ? { element: target, id: list.id, data: { ...target.dataset } } : null;
  }

  /**
   * One who went elsewhere is not called back; a button that was drawn anew is no longer there.
   *
   * @param {EventTarget | null} target
   */
  left(target) {
    setTimeout(() => {
      const element = this.focused?.element;
      if (element === target && element?.isConnected && document.activeElement !== element) {
        this.focused = null;
      }
    });
  }

  giveBack() {
    if (!this.focused) return;
    const { element, id, data } = this.focused;
    const same = NAMES.every((name) => element.dataset[name] === data[name]);
    const disabled = element instanceof HTMLButtonElement && element.disabled;
    if (element.isConnected && same && !disabled) return;
    this.focused = null;
    const at = document.activeElement ?? document.body;
    if (at !== document.body && at !== element) return;
    /** @type {HTMLElement[]} */
    const buttons = [...(document.getElementById(id)?.querySelectorAll("button") ?? [])].filter(
      (button) => !button.disabled);
    buttons[twinOf(buttons.map(({ dataset }) => dataset), data)]?.focus({ preventScroll: true });
  }
}

/** Opens the findings again that somebody opened, run by run. */
class FindingKeeper {
  constructor() {
    /** @type {Set<string>} */
    this.opened = new Set();
    document.addEventListener("toggle", ({ target }) => {
      if (!(target instanceof HTMLDetailsElement) || !target.isConnected) return;
      if (!target.matches("#run-health details[data-finding]")) return;
      this.opened[target.open ? "add" : "delete"](this.key(target));
    }, true);
  }

  /** @param {HTMLElement} details */
  key(details) {
    const pressed = '#run-list [aria-pressed="true"]';
    const chosen = /** @type {HTMLElement | null} */ (document.querySelector(pressed));
    return `${chosen?.dataset.run ?? ""} ${details.dataset.finding}`;
  }

  openAgain() {
    /** @type {NodeListOf<HTMLDetailsElement>} */
    const all = document.querySelectorAll("#run-health details[data-finding]");
    for (const details of all) if (this.opened.has(this.key(details))) details.open = true;
  }
}

/** Keeps the log at its end while somebody reads there; above it, it stays where one reads. */
class LogKeeper {
  constructor() {
    this.atEnd = true;
    document.addEventListener("scroll", ({ target }) => {
      if (!(target instanceof Element) || !target.matches("#run-log pre")) return;
      this.atEnd = target.scrollHeight - target.clientHeight - target.scrollTop < 8;
    }, true);
  }

  follow() {
    const log = document.querySelector("#run-log pre");
    if (log && this.atEnd) log.scrollTop = log.scrollHeight;
  }
}

/** Keeps the place where somebody reads in the Runs tab, whenever a part of it is drawn anew. */
export const startReadingPlace = () => {
  const [focus, findings, log] = [new FocusKeeper(), new FindingKeeper(), new LogKeeper()];
  /** @type {[id: string, keep: () => void][]} */
  const parts = [
    ["run-list", () => focus.giveBack()],
    ["run-checkpoints", () => focus.giveBack()],
    ["run-health", () => findings.openAgain()],
    ["run-log", () => log.follow()],
  ];
  const changes = {
    childList: true,
    characterData: true,
    subtree: true,
    attributeFilter: NAMES.map((name) => `data-${name}`),
  };
  /** @type {WeakSet<Element>} */
  const watched = new WeakSet();
  const watch = () => {
    for (const [id, keep] of parts) {
      const part = document.getElementById(id);
      if (!part || watched.has(part)) continue;
      watched.add(part);
      new MutationObserver(keep).observe(part, changes);
      keep();
    }
  };
  listen("pulse", watch);
  document.addEventListener("focusin", watch);
};
