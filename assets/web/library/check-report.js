// The report of a check: what was clicked in it, and the way to the rows of a finding.

import { around } from "../shared/dom.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

const LOOK_MS = 100;
const LOOKS = 50;

/**
 * Scrolls to the rows below the panel, which the tab shows a moment after the click.
 *
 * @param {number} looks
 */
const goToRows = (looks) => {
  const place = document.getElementById("data-narrowed");
  if (place?.offsetParent) place.scrollIntoView({ block: "start" });
  else if (looks) setTimeout(() => goToRows(looks - 1), LOOK_MS);
};

/**
 * Tells which action or image was clicked.
 *
 * @param {Component} component
 */
export const attachCheckReport = ({ element, trigger }) => {
  element.addEventListener("click", (event) => {
    const found = around(event, "[data-action],[data-image]");
    if (!found) return;
    trigger("click", { ...found.dataset });
    if (found.dataset.action === "show") goToRows(LOOKS);
  });
};
