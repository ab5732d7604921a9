// The list of the Train form's sections: a click leads to one, and the one that is read is marked.

import { around } from "../shared/dom.js";

/** @param {HTMLElement} button */
const jump = (button) => {
  const section = document.getElementById(button.dataset.jump ?? "");
  const list = /** @type {HTMLElement | null} */ (button.closest("#train-jump"));
  if (!section || !list) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  section.style.scrollMarginTop = `${list.offsetHeight + 4}px`;
  section.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
  const title = /** @type {HTMLElement | null} */ (section.querySelector("h3, h4"));
  title?.setAttribute("tabindex", "-1");
  title?.focus({ preventScroll: true });
};

/**
 * Finds the section that is read: the last one whose start has passed the list.
 *
 * @param {HTMLElement} list
 * @returns {HTMLElement | null} Its button.
 */
const readSection = (list) => {
  const line = list.getBoundingClientRect().bottom + 24;
  let found = null;
  /** @type {NodeListOf<HTMLElement>} */
  const buttons = list.querySelectorAll("[data-jump]");
  for (const button of buttons) {
    button.removeAttribute("aria-current");
    const section = document.getElementById(button.dataset.jump ?? "");
    if (section?.classList.contains("fields") && section.offsetParent
      && section.getBoundingClientRect().top <= line) found = button;
  }
  return found;
};

const mark = () => {
  const list = /** @type {HTMLElement | null} */ (document.querySelector("#train-jump"));
  if (!list?.offsetParent) return;
  const current = readSection(list);
  const row = current?.closest("ul");
  if (!current || !row) return;
  current.setAttribute("aria-current", "true");
  row.scrollLeft = current.offsetLeft - row.offsetLeft - (row.clientWidth - current.offsetWidth) / 2;
};

/** Follows clicks on the list, and scrolling through the form. */
export const startSectionList = () => {
  document.addEventListener("click", (event) => {
    const button = around(event, "[data-jump]");
    if (button) jump(button);
  });
  let marking = false;
  document.addEventListener("scroll", () => {
    if (marking) return;
    marking = true;
    requestAnimationFrame(() => {
      marking = false;
      mark();
    });
  }, { passive: true });
};
