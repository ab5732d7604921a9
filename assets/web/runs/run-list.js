// The list of runs, and the list of a run's checkpoints: what a click on them sends.

import { around } from "../shared/dom.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

/**
 * Tells which run was chosen, or what shall be done to one.
 *
 * @param {Component} component
 */
export const attachRunList = ({ element, trigger }) => {
  element.addEventListener("click", (event) => {
    const card = around(event, "[data-run], [data-act]");
    if (!card) return;
    trigger("click", { run: card.dataset.run, act: card.dataset.act });
    // On a narrow screen the run is below the list.
    if (!card.dataset.act && matchMedia("(max-width: 640px)").matches) {
      document.getElementById("run-head")?.scrollIntoView();
    }
  });
};

/**
 * Asks whether a run shall go on from a step.
 *
 * @param {number} step
 * @param {number[]} steps Of all checkpoints.
 * @returns {string}
 */
export const askToGoBack = (step, steps) => {
  const lost = steps.some((other) => other > step) ? " Later checkpoints are deleted." : "";
  return `Go on from step ${step}?${lost}`;
};

/**
 * Tells from which step to go on, once that is confirmed, or whose weights to use.
 *
 * @param {Component} component
 */
export const attachCheckpoints = ({ element, trigger }) => {
  element.addEventListener("click", (event) => {
    const { step, use } = around(event, "[data-step], [data-use]")?.dataset ?? {};
    if (use) trigger("click", { use });
    if (!step) return;
    /** @type {NodeListOf<HTMLElement>} */
    const all = element.querySelectorAll("[data-step]");
    const steps = [...all].map(({ dataset }) => Number(dataset.step));
    if (confirm(askToGoBack(Number(step), steps))) trigger("click", { step });
  });
};
