// The values that events of the Train form send.

/**
 * Gathers all values of the form as one.
 *
 * @param {...any} values
 * @returns {[any[]]}
 */
export const gatherValues = (...values) => [values];

/**
 * Asks before saved settings are deleted.
 *
 * @param {string | null} name
 * @returns {string | null} Null when they shall stay.
 */
export const confirmSettingsDeletion = (name) => (confirm(`Delete ${name}?`) ? name : null);
