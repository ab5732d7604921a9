// An end for requests that nobody answers.

/**
 * Makes a signal that ends a request after a while.
 *
 * @param {number} ms
 * @returns {AbortSignal}
 */
export const deadline = (ms) => {
  // Older type declarations of the DOM do not know it.
  const signals = /** @type {{ timeout: (ms: number) => AbortSignal }} */ (
    /** @type {unknown} */ (AbortSignal));
  return signals.timeout(ms);
};
