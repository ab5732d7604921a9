// The list of evaluations and the pages of rows: what a click on them sends; what is shown already.

import { around } from "../shared/dom.js";
import { shownParts } from "../shared/unchanged-parts.js";

const NAME = "evaluation";
/**
 * The evaluation that a link or the address asks for, until the page shows it; null: not yet read.
 *
 * @type {string | null}
 */
let asked = null;
let looked = false;

/** Reads what is asked for. */
const wanted = () => {
  asked ??= new URL(location.href).searchParams.get(NAME) ?? "";
  return asked;
};

/**
 * Has the tab show an evaluation when it is opened.
 *
 * @param {string} evaluation
 */
export const askFor = (evaluation) => {
  asked = evaluation;
};

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

/**
 * Tells which evaluation was chosen, or to which page of rows to turn.
 *
 * @param {Component} component
 */
export const attachEvaluationList = ({ element, trigger }) => {
  element.addEventListener("click", (event) => {
    const found = around(event, "[data-evaluation], [data-page], [data-run]");
    if (!found) return;
    const { evaluation, page, run } = found.dataset;
    if (evaluation !== undefined) asked = "";
    trigger("click", { evaluation, page, run });
    const narrow = matchMedia("(max-width: 640px)").matches;
    if (found.dataset.page !== undefined) element.scrollIntoView();
    // On a narrow screen the evaluation is below the list.
    else if (narrow) document.getElementById("evaluation-head")?.scrollIntoView();
  });
};

/**
 * Follows a link of another tab to an evaluation: opening the tab shows it.
 *
 * @param {Component} component
 */
export const attachEvaluationLink = ({ element, trigger }) => {
  element.addEventListener("click", (event) => {
    const found = around(event, "[data-evaluation]");
    if (!found) return;
    askFor(String(found.dataset.evaluation));
    trigger("click", {});
  });
};

/**
 * Puts the evaluation that is asked for before the one shown last.
 *
 * @param {any} chosen
 * @param {...any} looks
 * @returns {any[]}
 */
export const askedEvaluation = (chosen, ...looks) => {
  looked = true;
  if (wanted() === chosen) asked = "";
  return [asked || chosen, ...looks];
};

/**
 * Names the evaluation that is shown in the page's address.
 *
 * @param {any} chosen
 * @returns {any}
 */
export const nameEvaluation = (chosen) => {
  if (!looked) return chosen; // what the browser remembers; the address may ask for another one
  asked = "";
  const address = new URL(location.href);
  if (chosen) address.searchParams.set(NAME, chosen);
  else address.searchParams.delete(NAME);
  history.replaceState(history.state, "", address.href);
  // What was just started is shown above the button, or below on a narrow screen.
  if (document.activeElement?.id === "evaluate-start") {
    document.getElementById("evaluation-head")?.scrollIntoView({ block: "nearest" });
  }
  return chosen;
};

/**
 * Sends what the page shows already, for what looks again.
 *
 * @param {any} chosen
 * @param {any} _
 * @param {...any} looks
 * @returns {any[]}
 */
export const evaluationShown = (chosen, _, ...looks) => {
  const other = wanted() !== "" && asked !== chosen;
  // One that the page does not show yet is asked for as on opening it.
  return [other ? asked : chosen, other ? "" : shownParts("#evaluate"), ...looks];
};

/**
 * Asks before the match of the evaluation that is shown is deleted.
 *
 * @param {string} chosen
 * @param {...any} looks
 * @returns {any[]} Null for the evaluation when it shall stay.
 */
export const confirmMatchDeletion = (chosen, ...looks) => {
  /** @type {HTMLElement | null} */
  const shown = document.querySelector("#evaluation-match [data-match]");
  const wanted = confirm(`Delete the match ${shown?.dataset.match ?? ""}? Pairs without a vote are `
    + "excluded, and nobody is asked about them any more. What people said stays in the library; "
    + "the win rate is shown no more.");
  return [wanted ? chosen : null, ...looks];
};

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
