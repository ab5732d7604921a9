// The values that events of the Runs tab send; no run where a deletion is declined.

import { keepLook, recallLook } from "./curve-options.js";
import { shownParts } from "../shared/unchanged-parts.js";

/**
 * Sends what the page shows already and how its curves are drawn, for what looks again.
 *
 * @param {any} run
 * @param {any} _
 * @param {any} compare
 * @param {number} smoothing
 * @param {boolean} logScale
 * @param {...any} links
 * @returns {any[]}
 */
export const whatIsShown = (run, _, compare, smoothing, logScale, ...links) =>
  [run, shownParts("#runs"), compare, ...recallLook([smoothing, logScale]), ...links];

/**
 * Keeps smoothing and log scale in the browser, for what changes them.
 *
 * @param {any} run
 * @param {any} compare
 * @param {number} smoothing
 * @param {boolean} logScale
 * @returns {any[]}
 */
export const withKeptLook = (run, compare, smoothing, logScale) =>
  [run, compare, ...keepLook([smoothing, logScale])];

/**
 * Recalls smoothing and log scale, for what may be asked before the page has them in its fields.
 *
 * @param {any} run
 * @param {any} compare
 * @param {number} smoothing
 * @param {boolean} logScale
 * @param {...any} links
 * @returns {any[]}
 */
export const withRecalledLook = (run, compare, smoothing, logScale, ...links) =>
  [run, compare, ...recallLook([smoothing, logScale]), ...links];

/**
 * Asks before the run that is shown is deleted.
 *
 * @param {string} run
 * @param {...any} looks
 * @returns {any[]} Null for the run when it shall stay.
 */
export const confirmRunDeletion = (run, ...looks) => {
  const name = document.querySelector("#run-head h2")?.textContent;
  const wanted = confirm(`Delete "${name}" with its adapter, checkpoints and log?`);
  return [wanted ? run : null, ...looks];
};
