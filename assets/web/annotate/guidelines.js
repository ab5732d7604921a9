// The guidelines of a dataset, and which version of them this person has read.
import { element } from "../shared/dom.js";
import { button, part } from "./page-elements.js";
import { requestGuidelines } from "./requests.js";
import { markdown } from "./answer-text.js";

/** @typedef {ReturnType<typeof guidelinesPanel>} Parts */

/** Builds the panel; returns the parts that change. */
export const guidelinesPanel = () => {
  const guidelines = element("aside", "an-guidelines", "", {
    hidden: "", tabindex: "0", "aria-label": "Guidelines",
  });
  const guidelinesText = element("div", "an-prose");
  const guidelinesTitle = element("b", "", "Guidelines");
  const head = element("header");
  head.append(guidelinesTitle, button("guidelines", "L", "Close", "quiet"));
  guidelines.append(head, guidelinesText);
  return { guidelines, guidelinesTitle, guidelinesText };
};

export class Guidelines {
  /**
   * @param {Parts & {root: HTMLElement}} parts
   * @param {() => string | null} owner whose reading is remembered
   */
  constructor(parts, owner) {
    this.parts = parts;
    this.owner = owner;
  }

  /**
   * Opens the guidelines of a dataset, or closes what is open.
   *
   * @param {string} dataset
   */
  async toggle(dataset) {
    const { parts } = this;
    if (!parts.guidelines.hidden) {
      parts.guidelines.hidden = true;
      return;
    }
    const reply = dataset ? await requestGuidelines(dataset) : null;
    const { version, text } = reply?.ok ? reply.json : { version: 0, text: "" };
    parts.guidelinesTitle.textContent = version ? `Guidelines, version ${version}` : "Guidelines";
    if (version) markdown(parts.guidelinesText, text);
    else parts.guidelinesText.textContent = "The lead has not written any yet.";
    parts.guidelines.hidden = false;
    parts.guidelines.focus();
    this.remember(dataset, version);
  }

  /**
   * Shows on their button that guidelines were written since this person last read them.
   *
   * @param {{dataset: string, guideline: number}} card
   */
  announce({ dataset, guideline }) {
    const opener = part(this.parts.root, ".an-bar [data-act=guidelines]");
    opener.toggleAttribute("data-new", guideline > this.readVersion(dataset));
    opener.title = opener.hasAttribute("data-new") ? "There is a version you have not read" : "";
  }

  /** @param {string} dataset */
  readName(dataset) {
    return `studio-guidelines/${this.owner()}/${dataset}`;
  }

  /** @param {string} dataset */
  readVersion(dataset) {
    return Number(localStorage.getItem(this.readName(dataset)) ?? 0);
  }

  /**
   * @param {string} dataset
   * @param {number} version
   */
  remember(dataset, version) {
    if (!version) return;
    try {
      localStorage.setItem(this.readName(dataset), String(version));
    } catch {
      // The announcement stays; nothing else depends on it.
    }
    this.announce({ dataset, guideline: version });
  }
}
