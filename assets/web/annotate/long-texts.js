// Texts that are longer than their place: scrolled by keys, and looking as if there were more.

/** @typedef {Pick<HTMLElement, "scrollTop" | "scrollHeight" | "clientHeight">} Scrolled */

/**
 * Says in attributes, for its look, whether there is more of a text above or below what is seen.
 *
 * @param {HTMLElement} place
 */
export const markMore = (place) => {
  const below = place.scrollHeight - place.clientHeight - place.scrollTop;
  place.toggleAttribute("data-above", place.scrollTop > 1);
  place.toggleAttribute("data-below", below > 1);
};

/** @param {HTMLElement} place */
export const watchMore = (place) => {
  place.addEventListener("scroll", () => markMore(place), { passive: true });
  new ResizeObserver(() => markMore(place)).observe(place);
};

/**
 * Scrolls what is longer than its place, the question to its end before the answers, and back the
 * other way round.
 *
 * @param {Scrolled} question
 * @param {Scrolled[]} answers
 * @param {number} pixels
 * @returns {boolean} whether there was anything to scroll
 */
export const scroll = (question, answers, pixels) => {
  /** @param {Scrolled} place */
  const can = (place) => pixels > 0
    ? place.scrollTop + place.clientHeight < place.scrollHeight - 1 : place.scrollTop > 0;
  const order = pixels > 0 ? [[question], answers] : [answers, [question]];
  const first = order.find((places) => places.some(can));
  for (const place of first ?? []) place.scrollTop += pixels;
  return [question, ...answers].some((place) => place.scrollHeight > place.clientHeight + 1);
};
