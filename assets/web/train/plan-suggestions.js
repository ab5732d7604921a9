// A click on a suggestion under the plan.

import { around } from "../shared/dom.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

/**
 * Tells which of the plan's suggestions shall be applied.
 *
 * @param {Component} component
 */
export const attachSuggestions = ({ element, trigger }) => {
  element.addEventListener("click", (event) => {
    const button = around(event, "[data-apply]");
    if (button) trigger("click", { index: button.dataset.apply });
  });
};
