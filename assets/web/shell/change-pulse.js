// The pulse: short words of the studio that change whenever something it shows does, and the parts
// of the page that look again then (ui/shell/change_notification.py).

import { deadline } from "../shared/request-timeout.js";
import { announce, listen } from "../shared/page-events.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

const PULSE_MS = 1500;
/** Places of the words in a beat. */
export const RUNS = 0;
export const HEADER = 1;
export const EVALUATIONS = 2;
export const ROUNDS = 3;

/** Asks for the pulse while the page can be seen; its first answer says whose page this is. */
export const startPulse = () => {
  let asking = false;
  // A lost connection is asked again at the next beat.
  const ask = async () => {
    if (document.hidden || asking) return;
    asking = true;
    const signal = deadline(10 * PULSE_MS);
    const words = await fetch(new URL("studio/pulse", document.baseURI), { signal })
      .then((reply) => (reply.ok ? reply.text() : null))
      .catch(() => null);
    asking = false;
    if (words !== null) announce("pulse", words);
  };
  document.addEventListener("visibilitychange", ask);
  setInterval(ask, PULSE_MS);
  ask();
};

/**
 * Says whether a part has to look again, given its word of a beat.
 *
 * Nothing is asked for in the first beat of a part that shows nothing yet: opening its tab has
 * asked already.
 *
 * @param {string | undefined} shown The word that it was drawn with.
 * @param {string} word
 * @param {boolean} waited Whether it let a beat pass.
 */
export const isOutdated = (shown, word, waited) =>
  shown !== word && (shown !== undefined || waited);

/**
 * Triggers a component's `tick` when it can be seen and the pulse says that it is out of date.
 *
 * @param {Component} component
 * @param {number} place Of its word in a beat.
 */
export const followChanges = ({ element, trigger }, place) => {
  let waited = false;
  listen("pulse", (words) => {
    const word = words.split(" ")[place];
    const mark = /** @type {HTMLElement | null} */ (element.querySelector("[data-pulse]"));
    const shown = mark?.dataset.pulse;
    if (element.offsetParent === null || shown === word) return;
    if (isOutdated(shown, word, waited)) trigger("tick");
    waited = true;
  });
};
