// Whether what a model judged counts as labels: the button beside a judge, and what it means.

import { around } from "../shared/dom.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

/**
 * Says what it means that a judge counts, or no longer, and sends it where that is wanted.
 *
 * @param {Component} component
 */
export const attachJudgeCounting = ({ element, trigger }) => {
  element.addEventListener("click", (event) => {
    const button = around(event, "[data-judge]");
    if (!button) return;
    const { act, judge, means } = button.dataset;
    if (confirm(means)) trigger("click", { act, judge });
  });
};
