// The address of the Data tab names what is looked at.

/**
 * Writes values into an address; an empty one is none.
 *
 * @param {string} href
 * @param {Iterable<[name: string, value: string]>} values
 * @returns {string}
 */
export const addressWith = (href, values) => {
  const address = new URL(href);
  for (const [name, value] of values) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  return address.href;
};

/**
 * Names in the page's address what is looked at.
 *
 * @param {Iterable<[name: string, value: string]>} values
 */
export const nameInAddress = (values) => {
  history.replaceState(history.state, "", addressWith(location.href, values));
};
