// Where two answers differ, word by word.

/** @typedef {{start: number, end: number}} Piece Characters of a text. */

/** Longer texts are not compared: the table grows with the product of their words. */
const MOST_WORDS = 800;

/** @param {string} text @returns {string[]} */
const words = (text) => text.match(/\s+|[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];

/**
 * Finds the words of `text` that are not in `other`: those outside the longest common row of words.
 *
 * @param {string} text
 * @param {string} other
 * @returns {Piece[]}
 */
export const differences = (text, other) => {
  const [mine, theirs] = [words(text), words(other)];
  if (mine.length > MOST_WORDS || theirs.length > MOST_WORDS) return [];
  const width = theirs.length + 1;
  // Of the words from i and from j on, how many are common: at i * width + j.
  const best = new Uint16Array((mine.length + 1) * width);
  for (let i = mine.length - 1; i >= 0; i -= 1) {
    for (let j = theirs.length - 1; j >= 0; j -= 1) {
      best[i * width + j] = mine[i] === theirs[j] ? best[(i + 1) * width + j + 1] + 1
        : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
    }
  }
  const pieces = [];
  for (let i = 0, j = 0, at = 0; i < mine.length; i += 1) {
    while (j < theirs.length && mine[i] !== theirs[j] &&
      best[i * width + j + 1] > best[(i + 1) * width + j]) j += 1;
    const same = j < theirs.length && mine[i] === theirs[j];
    if (same) j += 1;
    else if (mine[i].trim()) pieces.push({ start: at, end: at + mine[i].length });
    at += mine[i].length;
  }
  return pieces;
};

/**
 * Finds the words of a text, and each sign of its own.
 *
 * @param {string} text
 * @returns {Piece[]}
 */
export const wordPieces = (text) =>
  Array.from(text.matchAll(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu), ({ 0: word, index = 0 }) =>
    ({ start: index, end: index + word.length }));

/**
 * Cuts a text where pieces of it begin and end.
 *
 * @param {string} text
 * @param {Piece[]} pieces
 * @returns {Piece[]}
 */
export const cutAt = (text, pieces) => {
  const edges = [0, text.length, ...pieces.flatMap(({ start, end }) => [start, end])];
  const cuts = [...new Set(edges)].filter((at) => at <= text.length).sort((a, b) => a - b);
  return cuts.slice(0, -1).map((start, index) => ({ start, end: cuts[index + 1] }));
};
