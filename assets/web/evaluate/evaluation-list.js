// The list of evaluations and the pages of rows: what a click on them sends; what is shown already.

import { around } from "../shared/dom.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

/**
 * Tells which evaluation was chosen, or to which page of rows to turn.
 *
 * @param {Component} component
 */
export const attachEvaluationList = ({ element, trigger }) => {
  element.addEventListener("click", (event) => {
    const found = around(event, "[data-evaluation], [data-page]");
    if (!found) return;
    trigger("click", { evaluation: found.dataset.evaluation, page: found.dataset.page });
    const narrow = matchMedia("(max-width: 640px)").matches;
    if (found.dataset.page !== undefined) element.scrollIntoView();
    // On a narrow screen the evaluation is below the list.
    else if (narrow) document.getElementById("evaluation-head")?.scrollIntoView();
  });
};

/**
 * Reads which parts of the tab are on the page and what each was drawn from.
 *
 * @returns {string} JSON: part → its word.
 */
const shownParts = () => {
  /** @type {NodeListOf<HTMLElement>} */
  const parts = document.querySelectorAll("#evaluate [data-part]");
  return JSON.stringify(
    Object.fromEntries([...parts].map(({ dataset }) => [dataset.part, dataset.shown])));
};

/**
 * Sends what the page shows already, for what looks again.
 *
 * @param {any} chosen
 * @param {any} _
 * @param {...any} looks
 * @returns {any[]}
 */
export const evaluationShown = (chosen, _, ...looks) => [chosen, shownParts(), ...looks];

/**
 * Asks before the evaluation that is shown is deleted.
 *
 * @param {string} chosen
 * @param {...any} looks
 * @returns {any[]} Null for the evaluation when it shall stay.
 */
export const confirmEvaluationDeletion = (chosen, ...looks) => {
  const name = document.querySelector("#evaluation-head h2")?.textContent;
  const wanted = confirm(`Delete the evaluation "${name}" with its answers?`);
  return [wanted ? chosen : null, ...looks];
};
