// What was typed on the page, kept over a reload that nobody asked for. The studio was restarted, or
// Gradio's page lost it and loads itself again: what events meant is gone then, typed text need not
// be. It lies in this browser tab only, for whoever typed it, until it stands in its fields again.

import { connection, ownerOf } from "../shared/connection.js";
import { element as make } from "../shared/dom.js";
import { listen } from "../shared/page-events.js";
import { addressesOf, fieldsToKeep, noticeOf, reasonOf } from "./kept-fields.js";

/** @typedef {import("./kept-fields.js").KeptField} KeptField */
/** @typedef {import("./kept-fields.js").KeptPage} KeptPage */
/** @typedef {import("./kept-fields.js").Reason} Reason */
/** @typedef {import("./kept-fields.js").Value} Value */
/** @typedef {HTMLInputElement | HTMLTextAreaElement} Field */

const KEY = "studio-typed";
// Answers keep themselves (annotate/drafts.js), and so does the Train form.
const KEEP_THEMSELVES = ".annotate, #tab-train, dialog";
const FIELDS = "input:not([type=file], [type=password]), textarea";
// Fields that only make sense together, and the one that says what they were filled with.
/** @type {Record<string, string>} */
const TOGETHER = { "#team-project": "#team-filled textarea" };
const STEP_MS = 400;
const PAUSE_MS = 1500; // a reload waits for this long a pause in typing
const CHECKS = 4; // how often a field is looked at again: what fills it may come later
const CHOICE_MS = 200;

/**
 * @param {EventTarget | null} target
 * @returns {target is Field}
 */
const isField = (target) =>
  target instanceof Element && target.matches(FIELDS) && !target.closest(KEEP_THEMSELVES);

/**
 * @param {Field} field
 * @returns {field is HTMLInputElement}
 */
const isSwitch = (field) => field.type === "checkbox" || field.type === "radio";

/**
 * @param {Field} field
 * @returns {Value}
 */
const valueOf = (field) => (isSwitch(field) ? field.checked : field.value);

/** @param {Field} field */
const groupOf = (field) => Object.keys(TOGETHER).find((group) => field.closest(group)) ?? "";

/** @param {string} group */
const isFilled = (group) =>
  Boolean(/** @type {HTMLTextAreaElement | null} */ (document.querySelector(TOGETHER[group]))?.value);

/** @param {Field} field */
const nameOf = (field) => {
  const within = field.closest("label, .block");
  const label = within?.querySelector("[data-testid=block-info]") ?? field.closest("label");
  return label?.textContent?.trim() || field.placeholder || field.getAttribute("aria-label") || "";
};

/** @param {Field} field */
const placeOf = (field) => {
  const panel = field.closest("[id^='tab-'], #data-import-panel");
  return [panel?.id ?? "", nameOf(field), field.type].join("|");
};

/** @returns {Map<string, Field>} All fields by their addresses. */
const fieldsByAddress = () => {
  const fields = [...document.querySelectorAll(FIELDS)].filter(isField);
  const addresses = addressesOf(fields.map(placeOf));
  return new Map(fields.map((field, place) => [addresses[place], field]));
};

/**
 * Puts a value into a field as if it was typed there.
 *
 * @param {Field} field
 * @param {Value} value
 */
const put = (field, value) => {
  if (isSwitch(field)) {
    if (field.checked !== value) field.click();
    return;
  }
  const kind = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
  const hasList = field.getAttribute("role") === "listbox" || field.hasAttribute("aria-autocomplete");
  if (hasList) field.focus();
  Object.getOwnPropertyDescriptor(kind.prototype, "value")?.set?.call(field, value);
  field.dispatchEvent(new Event("input", { bubbles: true }));
  if (hasList) field.blur();
};

class TypedText {
  constructor() {
    /** @type {Map<string, { field: Field, before: Value | null, value: Value }>} By address. */
    this.typed = new Map();
    /** @type {Reason | null} Why the page is about to be loaded again. */
    this.leaving = null;
    /** @type {{ field: Field, value: Value } | null} */
    this.entered = null;
    this.lastKey = 0;
    this.putting = false;
    /** @type {KeptField[]} What stands in no field yet since the page was loaded again. */
    this.waiting = [];
  }

  /** Notes what is typed. */
  watchFields() {
    document.addEventListener("focusin", ({ target }) => {
      this.entered = isField(target) ? { field: target, value: valueOf(target) } : null;
    });
    document.addEventListener("input", ({ target }) => {
      if (this.putting) return;
      this.lastKey = Date.now();
      this.note(target);
    });
    // A choice from a list puts the text there without a word.
    document.addEventListener("focusout", ({ target }) => {
      const left = this.entered;
      setTimeout(() => {
        if (left?.field !== target || !left?.field.isConnected) return;
        if (valueOf(left.field) !== left.value) this.note(target);
      }, CHOICE_MS);
    });
  }

  /** Notices why the page is about to be loaded again, and keeps what was typed when it is. */
  watchReload() {
    listen("restart", ({ own, now }) => {
      if (this.leaving === "restart" || !own || !now || ownerOf(own) !== ownerOf(now)) return;
      this.leaving = "restart";
      this.reload();
    });
    listen("lost", () => (this.leaving ??= "lost"));
    listen("out", () => (this.leaving ??= "out"));
    addEventListener("pagehide", () => {
      this.leaving ??= this.waiting.length ? "lost" : null;
      if (this.leaving) this.keep(this.leaving);
    });
  }

  /** @param {EventTarget | null} field */
  note(field) {
    if (!isField(field)) return;
    const address = [...fieldsByAddress()].find(([, one]) => one === field)?.[0] ?? "";
    const entered = this.entered?.field === field ? this.entered.value : null;
    const before = this.typed.get(address)?.before ?? entered;
    this.typed.set(address, { field, before, value: valueOf(field) });
    this.waiting = this.waiting.filter((one) => one.address !== address);
  }

  /** @returns {KeptField[]} */
  kept() {
    /** @type {(address: string, field: Field) => { address: string, name: string, group: string }} */
    const about = (address, field) => ({ address, name: nameOf(field), group: groupOf(field) });
    const typed = [...this.typed].map(([address, { field, before, value }]) => ({
      ...about(address, field), before, now: field.isConnected ? valueOf(field) : value,
    }));
    return fieldsToKeep(this.waiting, typed, () =>
      [...fieldsByAddress()].map(([address, field]) => ({
        ...about(address, field), now: valueOf(field),
      })));
  }

  /** @param {Reason} why */
  keep(why) {
    const { owner, start } = connection;
    /** @type {KeptPage} */
    const page = { owner, start, why, fields: this.kept() };
    try {
      sessionStorage.setItem(KEY, JSON.stringify(page));
    } catch {
      // A browser that keeps nothing: the page is loaded all the same.
    }
  }

  reload() {
    if (Date.now() - this.lastKey < PAUSE_MS) setTimeout(() => this.reload(), STEP_MS);
    else location.reload();
  }

  /** Takes what an earlier page has left, once the studio has said whose page this is. */
  takeBack() {
    /** @type {KeptPage | null} */
    let left = null;
    try {
      left = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    } catch { /* nothing of ours */ }
    if (!left?.fields) return;
    const page = left;
    const stop = listen("pulse", () => {
      const { owner, start } = connection;
      if (owner === null) return;
      stop();
      sessionStorage.removeItem(KEY);
      if (page.owner !== owner) return;
      this.waiting = page.fields;
      this.tell(noticeOf(reasonOf(page, start), [
        ...new Set(page.fields.map(({ name }) => name).filter(Boolean)),
      ]));
      setTimeout(() => this.putBack(), STEP_MS);
    });
  }

  /** Puts what waits into its fields, as soon as they are there. */
  putBack() {
    const found = fieldsByAddress();
    for (const one of this.waiting) {
      const field = found.get(one.address);
      if (!field || (one.group && !isFilled(one.group))) continue;
      this.putting = true;
      if (valueOf(field) !== one.value) put(field, one.value);
      this.putting = false;
      one.checks = (one.checks ?? 0) + 1;
    }
    this.waiting = this.waiting.filter(({ checks = 0 }) => checks < CHECKS);
    if (this.waiting.length) setTimeout(() => this.putBack(), STEP_MS);
  }

  /** @param {string} text */
  tell(text) {
    const line = make("div", "studio-notice page-again", text, { role: "status" });
    const close = make("button", "", "Close", { type: "button" });
    close.addEventListener("click", () => line.remove());
    line.append(close);
    document.body.prepend(line);
  }
}

/** Keeps what is typed on this page, and takes back what the page before it has left. */
export const startTypedText = () => {
  const text = new TypedText();
  text.watchFields();
  text.watchReload();
  text.takeBack();
};
