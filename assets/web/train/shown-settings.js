// Which settings the Train form shows: those of a level and of a method.

/**
 * Shows basic settings or all of them.
 *
 * @param {string} level
 */
export const showLevel = (level) => {
  document.documentElement.dataset.studioLevel = level;
};

/**
 * Shows what belongs to a method.
 *
 * @param {string} method
 */
export const showMethod = (method) => {
  document.documentElement.dataset.studioMethod = method;
};
