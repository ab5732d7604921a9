// How far somebody is: counts, and how they are said.

/** @typedef {import("./label-fields.js").Progress} Progress */

/**
 * @param {number} number
 * @param {string} word
 */
export const many = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

/**
 * Says 30 Nov of 2026-11-30; with the year where it is another one.
 *
 * @param {string} iso
 */
export const date = (iso) => {
  const day = new Date(`${iso}T12:00`);
  /** @type {Intl.DateTimeFormatOptions} */
  const year = day.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return day.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...year });
};

/**
 * Of the answers to come, how many pairs that is: in proportion, for which of them come twice is
 * not to be told by a number that stands still.
 *
 * @param {Pick<Progress, "labelled" | "waiting" | "twice">} progress
 */
export const pairsLeft = ({ labelled, waiting, twice }) => {
  const showings = labelled + waiting;
  return waiting && Math.max(1, Math.round((waiting * (showings - Math.min(twice, showings))) / showings));
};

/**
 * Counts one answer more, or one less, until the server says the counts again.
 *
 * @param {Progress} progress
 * @param {1 | -1} step
 * @param {number} here pairs that were fetched: they are left, whatever was expected to come
 * @returns {Progress}
 */
export const counted = (progress, step, here) => {
  const labelled = progress.labelled + step;
  const waiting = Math.max(progress.waiting - step, here);
  const total = Math.max(progress.total, labelled + waiting);
  const today = progress.today + step;
  return { ...progress, labelled, today, waiting, total, pairs: total - progress.twice };
};

/** @param {Progress} progress */
export const countsLine = (progress) => {
  const { labelled, today, day, since, pairs } = progress;
  /** @param {number} count */
  const number = (count) => count.toLocaleString("en");
  const still = pairsLeft(progress);
  const left = `${still ? number(still) : "none"} left of ${many(pairs, "pair")}`;
  const from = since && since !== day ? ` since ${date(since)}` : "";
  const pieces = [left, `${many(labelled, "answer")} by you${from}`,
    `${number(today)} today${day ? `, ${date(day)}` : ""}`];
  if (progress.median_seconds !== null) pieces.push(`median ${progress.median_seconds} s`);
  return pieces.join(" · ");
};
