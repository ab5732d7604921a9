// More about each setting of the Train form, behind a question mark.

import { element } from "../shared/dom.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */
/**
 * @typedef {object} SettingHelp
 * @property {string} label
 * @property {string} [effect]
 * @property {string} [trl] Its name in TRL.
 * @property {string} [path] Its place in the run file.
 * @property {string} words What it is found by, besides what is shown.
 */
/** @typedef {Record<string, SettingHelp>} Helps By the id of a setting's element. */

const AGAIN_MS = 250;
const TRIES = 40;

/** @param {SettingHelp} help */
const details = ({ label, effect, trl, path }) => {
  const made = element("details", "why");
  const title = `More about ${label}`;
  const list = element("dl");
  for (const [name, text] of [["Effect", effect], ["In TRL", trl], ["Run file", path]]) {
    if (text) list.append(element("dt", "", name), element("dd", "", text));
  }
  made.append(element("summary", "", "?", { "aria-label": title, title }), list);
  return made;
};

/**
 * Adds the help to settings; those that are not drawn yet are tried again a moment later.
 *
 * @param {Helps | null | undefined} helps
 * @param {number} [tries]
 */
export const showHelp = (helps, tries = TRIES) => {
  /** @type {Helps} */
  const missing = {};
  for (const [id, help] of Object.entries(helps ?? {})) {
    const place = document.getElementById(id);
    if (!place) missing[id] = help;
    else if (!place.querySelector(":scope > .why")) {
      place.dataset.words = help.words;
      place.append(details(help));
    }
  }
  if (Object.keys(missing).length && tries) setTimeout(() => showHelp(missing, tries - 1), AGAIN_MS);
};

/**
 * Shows the help that a component holds.
 *
 * @param {Component} component
 */
export const attachHelp = ({ props }) => showHelp(props.value);
