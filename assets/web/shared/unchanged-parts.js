// What a tab shows already, for the server to leave out (ui/shared/unchanged_parts.py).

/**
 * Reads which parts of a tab are on the page and what each was drawn from.
 *
 * @param {string} tab Selector of its element.
 * @returns {string} JSON: part → its word.
 */
export const shownParts = (tab) => {
  /** @type {NodeListOf<HTMLElement>} */
  const parts = document.querySelectorAll(`${tab} [data-part]`);
  return JSON.stringify(
    Object.fromEntries([...parts].map(({ dataset }) => [dataset.part, dataset.shown])));
};
