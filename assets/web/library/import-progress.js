// Imports: how one goes is asked for, and that it has ended is told once.

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

const ASK_MS = 1000;

/**
 * Triggers `tick` once a second while the tab can be seen.
 *
 * @param {Component} component
 */
export const attachImportTicker = ({ element, trigger }) => {
  setInterval(() => {
    if (element.offsetParent && !document.hidden) trigger("tick");
  }, ASK_MS);
};

/**
 * Triggers `submit` when the component says of another import that it has ended.
 *
 * @param {Component} component
 */
export const attachImportEnd = ({ element, trigger }) => {
  /** @type {string | null} */
  let last = null;
  new MutationObserver(() => {
    const end = /** @type {HTMLElement | null} */ (element.querySelector("[data-arrived]"));
    const now = end?.dataset.arrived;
    if (!now || now === last) return;
    last = now;
    trigger("submit");
  }).observe(element, { childList: true, subtree: true, attributeFilter: ["data-arrived"] });
};
