// News that one part of the page has for the others, as events of the document.

/**
 * Who somebody is: an account made again under the same name is somebody else.
 *
 * @typedef {{ user: string, account: string }} Identity
 */

/**
 * What the page knows of itself.
 *
 * @typedef {object} PageState
 * @property {Identity | null} own Who opened the page; null before the studio has said it.
 * @property {Identity | null} now Who is logged in.
 * @property {string | null} role What they may do.
 * @property {string | null} start The start of the studio that made the page.
 */

/**
 * The same once the studio has said who is logged in.
 *
 * @typedef {PageState & { own: Identity, now: Identity }} KnownUser
 */

/**
 * Each piece of news with what it says.
 *
 * @typedef {object} News
 * @property {string} pulse The studio's words for what there is to see.
 * @property {KnownUser} user Whose page this is, or who is logged in now.
 * @property {PageState} restart The studio was started again.
 * @property {null} lost The studio does not answer.
 * @property {Identity | null} out Nobody is logged in any more.
 */

/**
 * Announces a piece of news to whoever listens.
 *
 * @template {keyof News} Name
 * @param {Name} name
 * @param {News[Name]} detail
 */
export const announce = (name, detail) => {
  document.dispatchEvent(new CustomEvent(`studio:${name}`, { detail }));
};

/**
 * Calls a function at each piece of news of one name; returns what ends that.
 *
 * @template {keyof News} Name
 * @param {Name} name
 * @param {(detail: News[Name]) => void} hear
 * @returns {() => void}
 */
export const listen = (name, hear) => {
  /** @param {Event} event */
  const heard = (event) => hear(/** @type {CustomEvent<News[Name]>} */ (event).detail);
  document.addEventListener(`studio:${name}`, heard);
  return () => document.removeEventListener(`studio:${name}`, heard);
};
