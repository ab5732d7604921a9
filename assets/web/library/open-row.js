// Texts of the open row become fields where they stand; what was typed stays until it is saved.

import { around, element as make } from "../shared/dom.js";
import { nameInAddress } from "./address.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

/**
 * Counts the lines that a text's field shows.
 *
 * @param {string} text
 * @returns {number}
 */
export const rowsFor = (text) => Math.floor(Math.min(14, 2 + text.length / 40 + text.split("\n").length));

/** @param {HTMLElement} place */
const fieldOf = (place) => place.querySelector("textarea");

/** @param {HTMLElement} place */
const open = (place) => {
  if (fieldOf(place)) return;
  const text = place.dataset.text ?? "";
  const field = make("textarea", "", "", { "aria-label": "Text", rows: rowsFor(text) });
  field.value = text;
  const actions = make("div", "edit-actions");
  actions.append(
    make("button", "", "Save", { "data-save": "" }),
    make("button", "", "Cancel", { "data-cancel": "" }));
  place.append(field, actions);
  place.classList.add("editing");
  field.focus();
};

/** @param {HTMLElement} place */
const close = (place) => {
  place.classList.remove("editing");
  fieldOf(place)?.remove();
  place.querySelector(".edit-actions")?.remove();
};

/**
 * Brings the drawer with the open row to life.
 *
 * @param {Component} component
 */
export const attachOpenRow = ({ element, trigger }) => {
  /** @param {HTMLElement} place */
  const save = (place) => {
    const row = /** @type {HTMLElement | null} */ (place.closest("[data-id]"))?.dataset;
    const field = fieldOf(place);
    if (!row || !field) return;
    trigger("submit", {
      item: row.id,
      revision: row.revision,
      candidate: place.dataset.candidate,
      veiled: "veiled" in row,
      text: field.value,
    });
  };
  element.addEventListener("click", (event) => {
    const act = around(event, "[data-act]");
    const row = /** @type {HTMLElement | null | undefined} */ (act?.closest("[data-id]"));
    if (act) trigger("click", { act: act.dataset.act, item: row?.dataset.id });
    const place = around(event, ".editable");
    if (!place) return;
    if (around(event, "[data-edit]")) open(place);
    else if (around(event, "[data-cancel]")) close(place);
    else if (around(event, "[data-save]")) save(place);
  });
  element.addEventListener("keydown", (event) => {
    const place = around(event, "textarea") && around(event, ".editable");
    if (!place || event.isComposing) return;
    if (event.key === "Escape") close(place);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save(place);
  });
  followRow(element);
};

/**
 * Keeps the open row's name in the address.
 *
 * @param {HTMLElement} drawer
 */
const followRow = (drawer) => {
  /** @type {string | null} */
  let named = null;
  const name = () => {
    const row = /** @type {HTMLElement | null} */ (drawer.querySelector("[data-id]"));
    const shown = row?.dataset.id ?? null;
    if (shown === named) return;
    named = shown;
    nameInAddress([["row", shown ?? ""]]);
  };
  const changes = { childList: true, subtree: true, attributeFilter: ["data-id"] };
  new MutationObserver(name).observe(drawer, changes);
  name();
};
