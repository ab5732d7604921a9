// What goes with an answer: reasons to skip, texts, flags, marked pieces, aspects. Everything is
// typed into the draft of the pair on show; an answer takes it along.
import { targetOf, keyName } from "./keys.js";
import { part } from "./page-elements.js";
import { SKIP_REASONS } from "./label-kinds.js";
import { withMark } from "./marked-words.js";
import * as page from "./page-layout.js";
import { deselect, selected } from "./answer-text.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./label-fields.js").Side} Side */
/** @typedef {"edit" | "ideal" | "bad" | "comment"} EditorName */
/** @typedef {"reason" | "edit" | "ideal" | "comment"} Slot A field of the draft that is typed. */

/** @type {Readonly<Record<EditorName, {slot: Slot, title: string, save: string, placeholder: string}>>} */
const EDITORS = {
  edit: { slot: "edit", title: "Improve this answer", save: "Save and next", placeholder: "" },
  ideal: {
    slot: "ideal", title: "The ideal answer", save: "Keep it",
    placeholder: "What a perfect answer would say",
  },
  bad: {
    slot: "ideal", title: "Both bad: what would be right?", save: "Both bad, next",
    placeholder: "Leave it empty if you can't say",
  },
  comment: { slot: "comment", title: "Comment", save: "Keep it", placeholder: "For the lead" },
};
/** Keys 4 to 9, as many as a project may have aspects. */
export const ASPECT_ACTS = Array.from({ length: 6 }, (_, index) => `aspect-${index}`);
/** @type {(Side | "" | undefined)[]} */
const JUDGED = [undefined, "left", "right", ""];

/**
 * What an aspect is judged after one more press: –, A, B, both alike, and – again.
 *
 * @param {Side | "" | undefined} better
 */
export const nextJudgement = (better) => JUDGED[(JUDGED.indexOf(better) + 1) % JUDGED.length];

export class AnswerDetails {
  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    this.parts = session.parts;
    /** @type {EditorName | ""} */
    this.open = "";
    /** @type {Side | ""} */
    this.side = "";
    this.picking = false;
    /** @type {HTMLElement | null} */
    this.opener = null;
    const { parts } = this;
    parts.skip.addEventListener("submit", (event) => this.submitted(event, "skip-send"));
    parts.editor.addEventListener("submit", (event) => this.submitted(event, "editor-save"));
    parts.reason.addEventListener("input", () => this.keep("reason", parts.reason.value));
    parts.editorText.addEventListener("input", () => {
      if (this.open) this.keep(EDITORS[this.open].slot, parts.editorText.value);
    });
  }

  /** @returns {Record<string, (element?: HTMLElement) => void>} */
  actions() {
    const judging = ASPECT_ACTS.map((name, index) => [name, () => this.judge(index)]);
    return {
      skip: () => this.openSkip(),
      "skip-reason": (element) => this.skip(element?.dataset.reason ?? ""),
      "skip-send": () => this.skip(this.parts.reason.value.trim()),
      "skip-cancel": () => this.close(),
      edit: () => this.pick(),
      ideal: () => this.write("ideal"),
      comment: () => this.write("comment"),
      "both-bad": () => this.write("bad"),
      "editor-save": () => this.save(),
      "editor-cancel": () => this.close(),
      flag: () => this.change((draft) => (draft.flagged = !draft.flagged)),
      mark: () => this.mark(),
      ...Object.fromEntries(judging),
    };
  }

  /**
   * @param {Event} event
   * @param {string} act
   */
  submitted(event, act) {
    event.preventDefault();
    this.session.act(act);
  }

  /**
   * @param {Slot} slot
   * @param {string} value
   */
  keep(slot, value) {
    const { shown, draft } = this.session;
    if (!shown || !draft) return;
    draft.values[slot] = value;
    draft.keep();
  }

  /** @param {(draft: import("./drafts.js").DraftValues) => void} how */
  change(how) {
    const { shown, draft } = this.session;
    if (!shown || !draft) return;
    how(draft.values);
    this.session.redraw();
  }

  /** Closes what is open. The focus goes back to where it was before the panel opened. */
  close() {
    this.picking = false;
    this.open = "";
    for (const panel of [this.parts.skip, this.parts.editor]) {
      const within = panel.contains(document.activeElement);
      panel.hidden = true;
      if (within) page.focus(this.parts, this.opener);
    }
    this.parts.root.classList.remove("picking");
  }

  /**
   * @param {HTMLElement} panel
   * @param {HTMLElement} field
   */
  show(panel, field) {
    this.opener = /** @type {HTMLElement | null} */ (document.activeElement);
    panel.hidden = false;
    field.focus();
  }

  openSkip() {
    const { shown, draft } = this.session;
    if (!shown || !draft) return;
    this.close();
    this.parts.reason.value = draft.values.reason;
    this.show(this.parts.skip, part(this.parts.skip, "button"));
  }

  /** @param {string} reason */
  skip(reason) {
    // Without a reason nobody could tell a hard pair from a broken one.
    if (!reason) return this.parts.reason.focus();
    this.session.answer("skip", null, { reason });
  }

  /** E, then 1 or 2: which answer is better and to be improved. */
  pick() {
    if (!this.session.shown) return;
    this.close();
    this.picking = true;
    this.parts.root.classList.add("picking");
    this.session.notice("Which answer do you improve? Press 1 or 2, or its button.");
  }

  /**
   * Takes the side that was asked for; whether one was.
   *
   * @param {Side} side
   */
  choose(side) {
    if (!this.picking) return false;
    this.session.closeNotice();
    this.write("edit", side);
    return true;
  }

  /**
   * Opens the editor.
   *
   * @param {EditorName} what
   * @param {Side | ""} [side] of an edit
   */
  write(what, side = "") {
    const { parts } = this;
    const { shown, draft } = this.session;
    if (!shown || !draft) return;
    this.close();
    this.open = what;
    this.side = side;
    // An edit of the other answer is another text: it begins with that answer.
    const fresh = what === "edit" && side && draft.values.side !== side;
    if (fresh) Object.assign(draft.values, { side, edit: shown[side].text });
    const { slot, title, save, placeholder } = EDITORS[what];
    const name = side ? `${title} (${page.SIDE_NAMES[side]})` : title;
    parts.editorTitle.textContent = name;
    parts.editorText.setAttribute("aria-label", name);
    part(parts.editorSave, "span").textContent = save;
    parts.editorText.placeholder = placeholder;
    parts.editorText.value = draft.values[slot];
    this.show(parts.editor, parts.editorText);
  }

  save() {
    const { session, open, side } = this;
    const value = this.parts.editorText.value;
    if (!open) return;
    if (open === "bad") return session.answer("both_bad", null, { ideal: value });
    if (open === "edit" && side) {
      // A text that was left as it is improves nothing.
      const edit = value === session.shown?.[side].text ? "" : value;
      return session.answer("choose", side, { edit });
    }
    this.keep(EDITORS[open].slot, value);
    this.close();
    return session.redraw();
  }

  /** Marks the selected words of an answer as wrong; selecting inside a mark takes it away. */
  mark() {
    const { session, parts } = this;
    if (!session.shown) return;
    const side = page.SIDES.find((one) => selected(parts[one].text));
    if (session.shown.markdown) {
      // Places are counted in the text as it was written, so it is shown that way.
      session.shown.markdown = false;
      session.redraw();
      return session.marker.start(side);
    }
    const piece = side && selected(parts[side].text);
    if (!side || !piece) return session.marker.start();
    deselect();
    this.change((draft) => (draft.spans = withMark(draft.spans, { side, ...piece })));
  }

  /**
   * Judges an aspect of the pair.
   *
   * @param {number} index
   */
  judge(index) {
    const aspect = this.session.shown?.aspects[index];
    if (!aspect) {
      return this.session.guard.missed(`Not counted: nothing is judged with ${index + 4} here`);
    }
    this.change(({ aspects }) => {
      const next = nextJudgement(aspects[aspect]);
      if (next === undefined) delete aspects[aspect];
      else aspects[aspect] = next;
    });
  }

  /**
   * Enter, with or without Ctrl: what the open panel is for.
   *
   * @param {KeyboardEvent} event
   */
  commit(event) {
    if (!this.open && this.parts.skip.hidden) return;
    event.preventDefault();
    if (this.open) this.save();
    else this.skip(this.parts.reason.value.trim());
    // With Ctrl it was no new line.
    if (!event.ctrlKey && !event.metaKey) this.session.guard.afterText();
  }

  /**
   * Says that an open panel keeps a letter from the pair.
   *
   * @param {KeyboardEvent} event
   * @param {string} what
   */
  isOpen(event, what) {
    const name = keyName(event);
    if (name.length === 1 && name !== " ") {
      this.session.guard.say(`Not counted: the ${what} is open; Esc closes it`);
    }
  }

  /**
   * Takes a key while a panel is open; whether it was for that.
   *
   * @param {KeyboardEvent} event
   */
  key(event) {
    const skipping = !this.parts.skip.hidden;
    const target = targetOf(event);
    if (event.key === "Escape" && (skipping || this.open || this.picking)) {
      this.session.closeNotice();
      this.close();
      return true;
    }
    if (this.open) {
      if (event.key === "Enter" && !event.shiftKey && target === this.parts.editorText) {
        this.commit(event);
      } else if (target !== this.parts.editorText) this.isOpen(event, "editor");
      return true;
    }
    if (!skipping || target === this.parts.reason) return skipping;
    const reason = SKIP_REASONS[Number(keyName(event)) - 1];
    if (reason) this.skip(reason);
    else this.isOpen(event, "list of reasons");
    return true;
  }
}
