// Clicks on rows, datasets and ticks; the handler in Python is told which.

import { around } from "../shared/dom.js";
import { nameInAddress } from "./address.js";
import { RowTicks } from "./row-ticks.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

// An answer that overtook the one before it, or never came: after a moment the page asks again.
const AGAIN_MS = 1000;

class RowList {
  /** @param {Component} component */
  constructor({ element, trigger }) {
    this.element = element;
    this.trigger = trigger;
    this.ticks = new RowTicks();
    /** @type {ReturnType<typeof setTimeout> | null} */
    this.asking = null;
    /** @type {string | undefined} */
    this.named = undefined;
    element.addEventListener("click", (event) => this.clicked(event));
    element.addEventListener("keydown", (event) => this.pressed(event));
    // Where only an attribute differs, nothing else of the element is made anew.
    new MutationObserver(() => {
      this.name();
      this.drawTicks();
    }).observe(element, {
      childList: true, subtree: true, attributeFilter: ["data-address", "data-drawn"],
    });
    this.name();
  }

  /** @param {Event} event */
  clicked(event) {
    const tick = /** @type {HTMLInputElement | null} */ (around(event, "[data-tick]"));
    if (tick) {
      this.tick(tick);
      return;
    }
    const found = around(event, "[data-item],[data-dataset],[data-reveal],[data-veil]");
    if (!found) return;
    if (found.dataset.item) this.show(found.dataset.item);
    else if (found.dataset.dataset !== undefined) this.press(found);
    this.trigger("click", { ...found.dataset });
  }

  /**
   * Shows at once which dataset is looked at: what is clicked next is meant for that one.
   *
   * @param {HTMLElement} card
   */
  press(card) {
    for (const other of this.element.querySelectorAll("[data-dataset]")) {
      other.setAttribute("aria-pressed", String(other === card));
    }
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const row = event.target;
    if (event.key !== "Enter" || !(row instanceof HTMLElement) || !row.dataset.item) return;
    this.show(row.dataset.item);
    this.trigger("click", { ...row.dataset });
  }

  /** @param {HTMLInputElement} box */
  tick(box) {
    const number = this.ticks.add();
    this.askAgain();
    if (box.dataset.tick === "page") for (const other of this.boxes()) other.checked = box.checked;
    this.trigger("click", { tick: box.dataset.tick, on: box.checked, number });
  }

  /** @returns {NodeListOf<HTMLInputElement>} */
  boxes() {
    return this.element.querySelectorAll("[data-tick]");
  }

  /**
   * Shows at once which row is open.
   *
   * @param {string} item
   */
  show(item) {
    /** @type {NodeListOf<HTMLElement>} */
    const rows = this.element.querySelectorAll("[data-item]");
    for (const row of rows) {
      const open = String(row.dataset.item === item);
      row.setAttribute(row.matches("tr") ? "aria-selected" : "aria-pressed", open);
    }
  }

  name() {
    const place = /** @type {HTMLElement | null} */ (this.element.querySelector("[data-address]"));
    const look = place?.dataset.address;
    if (look === undefined || look === this.named) return;
    this.named = look;
    nameInAddress(new URLSearchParams(look));
  }

  rows() {
    const rows = /** @type {HTMLElement | null} */ (this.element.querySelector("[data-drawn]"));
    return rows?.dataset;
  }

  askAgain() {
    this.asking ??= setTimeout(() => {
      this.asking = null;
      const rows = this.rows();
      if (!rows || !this.ticks.isOld(rows.drawn, rows.ticks)) return;
      this.trigger("click", { again: true, number: this.ticks.ticks });
    }, AGAIN_MS);
  }

  /**
   * A box that was clicked no longer follows its attribute, so new rows set it here. Rows that were
   * on their way while something was ticked do not show that tick yet: those that follow will.
   */
  drawTicks() {
    const rows = this.rows();
    const taken = rows ? this.ticks.take(rows.drawn, rows.ticks) : "known";
    if (taken === "old") this.askAgain();
    if (taken !== "new") return;
    for (const box of this.boxes()) box.checked = box.hasAttribute("checked");
  }
}

/**
 * Brings a list of datasets or rows to life.
 *
 * @param {Component} component
 */
export const attachRowList = (component) => {
  new RowList(component);
};
