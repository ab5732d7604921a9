// What events of the Train form do in the browser.

import { around } from "../shared/dom.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

/**
 * Shows basic settings or all of them.
 *
 * @param {string} level
 */
export const showLevel = (level) => {
  document.documentElement.dataset.studioLevel = level;
};

/**
 * Shows what belongs to a method.
 *
 * @param {string} method
 */
export const showMethod = (method) => {
  document.documentElement.dataset.studioMethod = method;
};

/**
 * Gathers all values of the form as one.
 *
 * @param {...any} values
 * @returns {[any[]]}
 */
export const gatherValues = (...values) => [values];

/**
 * Asks before saved settings are deleted.
 *
 * @param {string | null} name
 * @returns {string | null} Null when they shall stay.
 */
export const confirmSettingsDeletion = (name) => (confirm(`Delete ${name}?`) ? name : null);

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
