// Elements that both annotating pages are made of.
import { element } from "../shared/dom.js";

/**
 * Makes a button that does `act`, with the key that does the same.
 *
 * @param {string} act
 * @param {string} key
 * @param {string} text
 * @param {string} [className]
 * @param {string} [title]
 */
export const button = (act, key, text, className = "", title = "") => {
  const made = element("button", `an-button ${className}`, "", { type: "button", "data-act": act });
  if (key) made.append(element("kbd", "", key));
  made.append(element("span", "", text));
  if (title) made.title = title;
  // What is only a sign is named.
  if (title && !/\p{L}/u.test(text)) made.setAttribute("aria-label", title);
  return made;
};

/**
 * Finds an element that the page itself has made.
 *
 * @param {ParentNode} place
 * @param {string} selector
 */
export const part = (place, selector) => {
  const found = place.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`The page has no ${selector}.`);
  return found;
};

/**
 * Makes the place of a long text that is scrolled by itself.
 *
 * @param {string} className
 * @param {string} name
 */
export const textPlace = (className, name) => element("div", className, "", {
  tabindex: "0", dir: "auto", role: "region", "aria-label": name,
});
