// The annotating page: brings it to life where Gradio has built its place, and hands it the keys.
import { composing, goesOn, targetOf } from "./keys.js";
import { Session } from "./session.js";

/** @type {Session | null} */
let session = null;
/** @type {string | null} The dataset that another tab's button asked for, until the page is there. */
let wanted = null;

/**
 * Brings the page to life; Gradio may build its place again.
 *
 * @param {import("../shared/gradio-bridge.js").Component} component
 */
export const attach = ({ element, trigger }) => {
  const root = element.querySelector("[data-annotate]");
  if (!(root instanceof HTMLElement) || session?.root === root) return;
  session = new Session(root, trigger);
  if (wanted !== null) session.choose(wanted);
  wanted = null;
};

/**
 * Shows only pairs of `dataset`; of all with an empty name.
 *
 * @param {string} dataset
 */
export const choose = (dataset) => {
  if (session) session.choose(dataset);
  else wanted = dataset;
};

/** Asks the studio for datasets and pairs again. */
export const refresh = () => {
  session?.load();
};

document.addEventListener("keydown", (event) => {
  const target = targetOf(event);
  // A held Enter would press the focused button for pair after pair.
  const held = event.repeat && session?.root.contains(target);
  if (held && target?.tagName === "BUTTON") event.preventDefault();
  const again = event.repeat && !goesOn(event);
  if (!session?.visible || again || composing(event)) return;
  if (event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (!event.ctrlKey && !event.metaKey) session.key(event);
  else if (event.key === "Enter") session.details.commit(event);
});
