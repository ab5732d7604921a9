// What the Runs tab shows already, for the server to leave out (ui/runs/page_cache.py).

/**
 * Reads which parts are on the page and what each was drawn from.
 *
 * @returns {string} JSON: part → its word.
 */
export const shownParts = () => {
  /** @type {NodeListOf<HTMLElement>} */
  const parts = document.querySelectorAll("#runs [data-part]");
  return JSON.stringify(
    Object.fromEntries([...parts].map(({ dataset }) => [dataset.part, dataset.shown])));
};
