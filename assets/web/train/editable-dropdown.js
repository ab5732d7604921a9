// Fields that offer a list and take any text: what is typed replaces what stands there, and Enter
// takes what was typed; what the list offers only after an arrow key has chosen it.

import { around } from "../shared/dom.js";

/** Lets one type into every such field of the page. */
export const startFreeChoices = () => {
  /** @type {HTMLInputElement | null} */
  let entered = null;
  /** @type {HTMLElement | null} */
  let typed = null;
  document.addEventListener("focusin", (event) => {
    const field = event.target;
    entered = field instanceof HTMLInputElement && field.closest(".free") ? field : null;
    entered?.select();
  });
  document.addEventListener("mouseup", (event) => {
    if (entered && event.target === entered) entered.select();
    entered = null;
  });
  document.addEventListener("input", (event) => {
    typed = around(event, ".free") && /** @type {HTMLElement} */ (event.target);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow")) typed = null;
    if (event.key !== "Enter" || !typed || event.target !== typed) return;
    event.preventDefault();
    event.stopPropagation();
    typed.blur();
    typed = null;
  }, true);
};
