// The line above the tabs: a click on the run leads to it, and the tab of the address is opened.

import { askFor } from "../evaluate/evaluation-list.js";
import { around } from "../shared/dom.js";
import { HEADER, followChanges } from "./change-pulse.js";
import { tabOf } from "./open-tab.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

/**
 * Brings the header to life.
 *
 * @param {Component} component
 */
export const attachHeader = (component) => {
  const { element, trigger } = component;
  element.addEventListener("click", (event) => {
    const run = around(event, "[data-run]")?.dataset.run;
    if (run !== undefined) trigger("click", { run });
    const busy = around(event, "[data-evaluation]")?.dataset;
    if (!busy) return;
    if (busy.tab === "evaluate") askFor(String(busy.evaluation));
    trigger("click", { tab: busy.tab });
  });
  followChanges(component, HEADER);
  const tab = tabOf(location.href);
  if (tab) setTimeout(() => trigger("submit", { tab }));
};
