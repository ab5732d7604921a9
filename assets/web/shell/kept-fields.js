// Which of the page's fields are kept over a reload that nobody asked for, and what is said of it.

/** @typedef {string | boolean} Value What stands in a field; of a switch, whether it is on. */
/** @typedef {"restart" | "lost" | "out"} Reason Why the page is loaded again. */

/**
 * A field that was typed in.
 *
 * @typedef {object} TypedField
 * @property {string} address
 * @property {string} name What the page calls it.
 * @property {string} group Of fields that only make sense together; empty for none.
 * @property {Value | null} before What stood in it before; null when nobody knows.
 * @property {Value} now
 */

/**
 * A field as it is kept.
 *
 * @typedef {object} KeptField
 * @property {string} address
 * @property {string} name Empty for what was only kept along.
 * @property {Value} value
 * @property {string} [group]
 * @property {number} [checks] How often it was looked at since the reload.
 */

/**
 * What is kept of a page.
 *
 * @typedef {object} KeptPage
 * @property {string | null} owner
 * @property {string | null} start
 * @property {Reason} why
 * @property {KeptField[]} fields
 */

/** @type {Record<Reason, string>} */
const WHY = {
  restart: "The studio was restarted",
  lost: "The connection to the studio was lost",
  out: "You were logged out",
};
const MOST_NAMES = 6;

/**
 * Tells fields of one place apart by their order.
 *
 * @param {string[]} places
 * @returns {string[]} An address for each.
 */
export const addressesOf = (places) => {
  /** @type {Map<string, number>} */
  const seen = new Map();
  return places.map((place) => {
    const number = (seen.get(place) ?? 0) + 1;
    seen.set(place, number);
    return `${place}|${number}`;
  });
};

/**
 * Chooses what to keep: what waits still, what was changed, and all that belongs to it.
 *
 * @param {KeptField[]} waiting What stands in no field yet since the last reload.
 * @param {TypedField[]} typed
 * @param {() => Omit<TypedField, "before">[]} all All fields of the page.
 * @returns {KeptField[]}
 */
export const fieldsToKeep = (waiting, typed, all) => {
  const found = [...waiting];
  const groups = new Set();
  for (const { address, name, group, before, now } of typed) {
    if (now === before || now === "") continue;
    if (group) groups.add(group);
    else found.push({ address, value: now, name });
  }
  if (!groups.size) return found;
  const changed = new Set(typed.map(({ address }) => address));
  for (const { address, name, group, now } of all()) {
    if (!groups.has(group)) continue;
    found.push({ address, value: now, name: changed.has(address) ? name : "", group });
  }
  return found;
};

/**
 * Finds why a page was loaded again: one that lost a studio has often met another start of it.
 *
 * @param {KeptPage} left
 * @param {string | null} start The start of the studio that answers now.
 * @returns {Reason}
 */
export const reasonOf = ({ why, start: before }, start) =>
  why === "lost" && before !== start ? "restart" : why;

/**
 * Says why the page was loaded again, and which fields have what was typed.
 *
 * @param {Reason} why
 * @param {string[]} names
 * @returns {string}
 */
export const noticeOf = (why, names) => {
  const shown = names.slice(0, MOST_NAMES).join(", ") + (names.length > MOST_NAMES ? " …" : "");
  const fields = "What you typed and had not saved is in its fields again";
  return `${WHY[why]}, and this page was loaded again. ${names.length ? `${fields}: ${shown}. ` : ""}`;
};
