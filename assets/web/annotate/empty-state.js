// What is said when there is no pair to show, and the one next step.
import { many } from "./progress.js";

/** @typedef {[action: string, text: string, primary: boolean]} StateButton */
/** @typedef {{title: string, text: string, buttons: StateButton[]}} EmptyState */

/** @type {EmptyState} */
export const SAVING = {
  title: "Saving your answers",
  text: "The next pairs come when the server has them. They are safe in this browser.",
  buttons: [],
};
/** @type {StateButton} */
const AGAIN = ["look-again", "Look again", true];

/**
 * @typedef {object} Situation
 * @property {import("./label-fields.js").Progress | null} progress
 * @property {import("./label-fields.js").DatasetView[]} datasets
 * @property {string} dataset the one that is chosen; empty: all
 * @property {boolean} lead
 * @property {import("./label-fields.js").Standing} standing
 */

/**
 * @param {Situation} situation
 * @returns {EmptyState}
 */
export const emptyState = ({ progress, datasets, dataset, lead, standing }) => {
  const { labelled = 0, total = 0, waiting = 0, elsewhere = 0, twice = 0 } = progress ?? {};
  const done = labelled - twice; // pairs, when nothing is left
  if (Object.values(standing ?? {}).includes("failed")) {
    return {
      title: "Please talk to the lead",
      text: "Your answers in the qualification round differ from the known ones. A lead can " +
        "let you go on; nothing you answered is lost.",
      buttons: [AGAIN],
    };
  }
  if (!total) {
    return {
      title: "No pairs to label yet",
      text: "A pair is an image, a question and two answers. You say which answer is better, " +
        "without knowing who wrote it, and a model learns from it. " +
        (lead ? "Import your own in Data." : "A lead imports them."),
      buttons: lead ? [["import-samples", "Import sample pairs", true]] : [AGAIN],
    };
  }
  if (waiting) {
    return {
      title: `${many(waiting, "pair")} in other hands`,
      text: "Your colleagues hold the rest. A pair they leave comes free after some minutes; " +
        "this page looks again every minute.",
      buttons: [AGAIN],
    };
  }
  const votes = datasets.filter(({ name }) => !dataset || name === dataset)
    .reduce((sum, { labelled: pairs }) => sum + pairs, 0);
  /** @type {StateButton} */
  const exporting = ["export-now", `Export ${many(votes, "labelled pair")} for training`, true];
  const others = done < total;
  // Pairs that came twice were answered twice, so that there may be more answers than pairs.
  const given = others ? `You answered ${many(done, "pair")} of ${total.toLocaleString("en")}; ` +
    "the others need no answer of yours." : `You gave ${many(labelled, "answer")}.`;
  const colleagues = elsewhere
    ? ` ${many(elsewhere, "pair")} still ${elsewhere === 1 ? "waits" : "wait"} for other people.` : "";
  return {
    title: others ? "Nothing left for you"
      : `All ${many(total, "pair")} done${elsewhere ? " by you" : ""}`,
    text: `${given}${colleagues} Ties and skipped pairs are counted but not trained on.`,
    buttons: [...(lead && votes ? [exporting] : []), ["look-again", "Look again", false]],
  };
};
