// How curves are drawn, smoothed and on a log scale, as this browser's user left it.

const KEY = "studio-run-looks";

/** @typedef {[smoothing: number, logScale: boolean]} CurveLook */

/**
 * Reads a look that was kept; null when it is none.
 *
 * @param {string | null} kept
 * @returns {CurveLook | null}
 */
export const parseLook = (kept) => {
  try {
    const [smoothing, logScale] = JSON.parse(kept ?? "null");
    return smoothing >= 0 && smoothing < 1 ? [smoothing, logScale === true] : null;
  } catch {
    return null;
  }
};

/**
 * Recalls the look as it was left; a browser that keeps nothing has the one of the page.
 *
 * @param {CurveLook} now
 * @returns {CurveLook}
 */
export const recallLook = (now) => {
  try {
    return parseLook(localStorage.getItem(KEY)) ?? now;
  } catch {
    return now;
  }
};

/**
 * Keeps the look in this browser.
 *
 * @param {CurveLook} look
 * @returns {CurveLook} The same.
 */
export const keepLook = (look) => {
  try {
    localStorage.setItem(KEY, JSON.stringify(look));
  } catch { /* no place for it */ }
  return look;
};
