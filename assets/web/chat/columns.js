// The answers side by side: buttons at turns, copying, and keys for a vote.

import { around } from "../shared/dom.js";

const focusQuestion = () => {
  /** @type {HTMLElement | null} */
  const question = document.querySelector("#chat-question textarea");
  question?.focus();
};

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

const LONGEST_SAID = 1200;

/**
 * Copies the answer beside a button and says so on it.
 *
 * @param {HTMLElement} button
 */
const copyAnswer = async (button) => {
  const answer = button.parentElement?.previousElementSibling;
  const said = answer?.classList.contains("quiet") ? answer.previousElementSibling : answer;
  const text = said?.querySelector("p")?.textContent ?? "";
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Pages without https have no clipboard.
    const range = document.createRange();
    if (said) range.selectNodeContents(said);
    getSelection()?.removeAllRanges();
    getSelection()?.addRange(range);
    button.textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl+C";
  }
  setTimeout(() => (button.textContent = before), LONGEST_SAID);
};

/**
 * Sends what a button at a turn asks for.
 *
 * @param {Component} component
 */
export const attachChatColumns = ({ element, trigger }) => {
  element.addEventListener("click", (event) => {
    const button = around(event, "[data-act]");
    if (!button) return;
    const { act, turn, place } = button.dataset;
    if (act === "copy") void copyAnswer(button);
    else if (act === "stop") trigger("stop", { turn, place });
    else if (act !== "retry" || confirmed(button)) {
      trigger("click", { act, turn, place });
      if (act === "edit") focusQuestion();
    }
  });
};

/**
 * Asks before turns go that come after the one that is asked again.
 *
 * @param {HTMLElement} button
 * @returns {boolean}
 */
const confirmed = (button) => {
  const retries = [...document.querySelectorAll('#chat-answer [data-act="retry"]')];
  const after = retries.length - 1 - retries.indexOf(button);
  return after < 1 || confirm(`Ask again? The ${after} later question(s) go with their answers.`);
};

/** @param {EventTarget | null} target */
const writesInto = (target) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches("input, textarea, select"));

/** Votes with the keys 1 to 4 and 0, wherever nothing is written; Esc leaves the question box. */
export const startChatKeys = () => {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (event.key === "Escape" && event.target instanceof HTMLElement
      && event.target.closest("#chat-question")) {
      event.target.blur();
      return;
    }
    if (!/^[0-4]$/.test(event.key) || writesInto(event.target)) return;
    /** @type {HTMLElement | null} */
    const button = document.querySelector(
      `#chat-answer [data-act="vote"][data-place="${event.key}"]`);
    if (!button?.offsetParent) return;
    event.preventDefault();
    button.click();
  });
};
