// Problems of the Train form, each under its field.

import { element } from "../shared/dom.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */
/** @typedef {{ field: string, text: string }} FieldError As `batch.total` and a sentence. */

/**
 * Lists the elements that may stand for a setting: its own, then those of what it is part of.
 *
 * @param {string} field
 * @returns {string[]} Ids, the closest first.
 */
export const placeIds = (field) => {
  const parts = field.split(".");
  return parts.map((_, cut) => `set-${parts.slice(0, parts.length - cut).join("-")}`);
};

/**
 * Shows these problems and no others.
 *
 * @param {FieldError[] | null | undefined} problems
 */
export const showFieldErrors = (problems) => {
  for (const note of document.querySelectorAll(".field-error")) note.remove();
  for (const place of document.querySelectorAll("[data-error]")) place.removeAttribute("data-error");
  for (const { field, text } of problems ?? []) {
    const place = placeIds(field).map((id) => document.getElementById(id)).find(Boolean);
    if (!place) continue;
    place.setAttribute("data-error", "");
    place.closest(".fields")?.setAttribute("data-error", "");
    place.append(element("div", "field-error", text, { role: "alert" }));
  }
};

/**
 * Shows the problems that a component holds, now and whenever they change.
 *
 * @param {Component} component
 */
export const attachFieldErrors = ({ props, watch }) => {
  showFieldErrors(props.value);
  watch("value", () => showFieldErrors(props.value));
};
