// Finding a setting of the Train form by words of its name, its help or TRL's name.

import { around } from "../shared/dom.js";

/**
 * Splits what was typed into the words that all have to be found.
 *
 * @param {string | null | undefined} typed
 * @returns {string[]}
 */
export const wordsOf = (typed) => (typed ?? "").toLowerCase().split(/\s+/).filter(Boolean);

/**
 * Says whether a text has all words; none are in every text.
 *
 * @param {string} text
 * @param {string[]} words
 * @returns {boolean}
 */
export const hasAll = (text, words) => {
  const found = text.toLowerCase();
  return words.every((word) => found.includes(word));
};

/**
 * Says how many settings were found; nothing when nothing is looked for.
 *
 * @param {string} typed
 * @param {number} hits
 * @returns {string}
 */
export const sayHits = (typed, hits) => {
  if (!wordsOf(typed).length) return "";
  if (!hits) return `No setting has “${typed.trim()}”. Try one word of it, or TRL's name.`;
  const found = hits === 1 ? "1 setting" : `${hits} settings`;
  return `${found} with “${typed.trim()}”. Esc shows all again.`;
};

/** @param {HTMLElement} setting */
const isOffered = (setting) => {
  const other = document.documentElement.dataset.studioMethod === "dpo" ? "sft" : "dpo";
  return !setting.closest(`.only-${other}`);
};

/**
 * Marks what has the words; the rest is hidden by the style sheet.
 *
 * @param {string} typed
 */
const search = (typed) => {
  const words = wordsOf(typed);
  document.documentElement.toggleAttribute("data-studio-search", words.length > 0);
  let all = 0;
  /** @type {NodeListOf<HTMLButtonElement>} */
  const buttons = document.querySelectorAll("#train [data-jump]");
  for (const button of buttons) {
    const section = document.getElementById(button.dataset.jump ?? "");
    const title = section?.querySelector(".group-title")?.textContent ?? "";
    /** @type {Iterable<HTMLElement>} */
    const settings = section?.querySelectorAll(".setting") ?? [];
    let hits = 0;
    for (const setting of settings) {
      const name = setting.id.slice(4);
      const text = `${name} ${title} ${setting.dataset.words ?? ""} ${setting.textContent}`;
      const hit = isOffered(setting) && hasAll(text, words);
      setting.toggleAttribute("data-hit", hit);
      hits += Number(hit);
    }
    section?.toggleAttribute("data-hit", hits > 0);
    button.disabled = words.length > 0 && !hits;
    button.dataset.hits = words.length && hits ? String(hits) : "";
    all += hits;
  }
  const line = document.getElementById("train-hits");
  if (line) line.textContent = sayHits(typed, all);
};

/** Searches while one types into the form's search field, and shows all again at Esc. */
export const startSettingSearch = () => {
  document.addEventListener("input", (event) => {
    if (!around(event, "#train-search")) return;
    search(/** @type {HTMLInputElement} */ (event.target).value);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !around(event, "#train-search")) return;
    const field = /** @type {HTMLInputElement} */ (event.target);
    field.value = "";
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
};
