// Problems of the form of a new evaluation, each under its field.

import { element } from "../shared/dom.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */
/** @typedef {{ field: string, text: string }} FieldError As `data` and a sentence. */

/**
 * Shows these problems and no others.
 *
 * @param {FieldError[] | null | undefined} problems
 */
export const showFormErrors = (problems) => {
  const form = document.getElementById("evaluate-form");
  for (const note of form?.querySelectorAll(".field-error") ?? []) note.remove();
  for (const { field, text } of problems ?? []) {
    const place = document.getElementById(`evaluate-${field}`);
    place?.append(element("div", "field-error", text, { role: "alert" }));
    place?.scrollIntoView({ block: "nearest" });
  }
};

/**
 * Shows the problems that a component holds, now and whenever they change.
 *
 * @param {Component} component
 */
export const attachFormErrors = ({ props, watch }) => {
  showFormErrors(props.value);
  watch("value", () => showFormErrors(props.value));
};
