// The list of rounds and the steps of one: what a click on them sends.

import { around } from "../shared/dom.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

/**
 * Tells which round was chosen, or which run to show.
 *
 * @param {Component} component
 */
export const attachRoundList = ({ element, trigger }) => {
  element.addEventListener("click", (event) => {
    const found = around(event, "[data-round], [data-run]");
    if (!found) return;
    trigger("click", { round: found.dataset.round, run: found.dataset.run });
  });
};

/**
 * Asks before the round that is shown is deleted.
 *
 * @param {string} chosen
 * @returns {(string | null)[]} Null for the round when it shall stay.
 */
export const confirmRoundDeletion = (chosen) => {
  const name = document.querySelector("#round-head h2")?.textContent;
  const wanted = confirm(`Delete "${name}"? Its labels, runs and matches stay.`);
  return [wanted ? chosen : null];
};
