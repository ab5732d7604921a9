// The annotating page: brings it to life where Gradio has built its place, and hands it the keys.
import { composing, goesOn, targetOf } from "./keys.js";
import { Session } from "./session.js";

/** @type {Session | null} */
let session = null;
/** @type {string | null} The dataset that another tab's button asked for, until the page is there. */
let wanted = null;

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

/**
 * Brings the annotating page to life; Gradio may build its place again.
 *
 * @param {Component} component
 */
export const attachAnnotate = ({ element, trigger }) => {
  const root = element.querySelector("[data-annotate]");
  if (!(root instanceof HTMLElement) || session?.root === root) return;
  session = new Session(root, trigger);
  const dataset = wanted ?? named();
  if (dataset !== null) session.choose(dataset);
  wanted = null;
};

/**
 * Turns to the pairs of the dataset that is looked at in Data, or was imported; of all where none is.
 *
 * @param {string} [place] finds the element that names it
 */
export const labelDataset = (place = "#dataset-list [aria-pressed=true]") => {
  const named = /** @type {HTMLElement | null} */ (document.querySelector(place))?.dataset;
  const dataset = named?.imported ?? named?.dataset ?? "";
  if (session) session.choose(dataset);
  else wanted = dataset;
};

/** The dataset that the address of the annotators' own page names; null where it names none. */
const named = () =>
  /\/annotate\/?$/.test(location.pathname)
    ? new URLSearchParams(location.search).get("dataset") : null;

/** Asks the studio for datasets and pairs again. */
export const refreshPairs = () => {
  session?.load();
};

/** Brings into view what an export says. */
export const showExportResult = () => {
  document.querySelector("#annotate-result")?.scrollIntoView({ block: "end" });
};

/** @param {KeyboardEvent} event */
const takeKey = (event) => {
  const target = targetOf(event);
  // A held Enter would press the focused button for pair after pair.
  const held = event.repeat && session?.root.contains(target);
  if (held && target?.tagName === "BUTTON") event.preventDefault();
  const again = event.repeat && !goesOn(event);
  if (!session?.visible || again || composing(event)) return;
  if (event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (!event.ctrlKey && !event.metaKey) session.key(event);
  else if (event.key === "Enter") session.details.commit(event);
};

/** Hands the page's keys to the pair on show. */
export const startAnnotateKeys = () => document.addEventListener("keydown", takeKey);
