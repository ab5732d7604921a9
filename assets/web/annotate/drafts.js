// What has been written about the pair on show and not yet sent; kept in this browser until it is.
import { DETAIL_FIELDS, SHARED_FIELDS } from "./label-fields.js";

/** @typedef {import("./label-fields.js").Details} Details */
/** @typedef {import("./label-fields.js").SharedDetails} SharedDetails */
/** @typedef {import("./label-fields.js").ShownAnswer} ShownAnswer */
/** @typedef {Details & {side: import("./label-fields.js").Side | ""}} DraftValues `side`: of the edit. */

/**
 * The fields of `values` that go with every answer.
 *
 * @param {SharedDetails} values
 * @returns {SharedDetails}
 */
const sharedOf = (values) => {
  const taken = Object.keys(SHARED_FIELDS).map((name) => [name, Reflect.get(values, name)]);
  return Object.fromEntries(taken);
};

/** @returns {DraftValues} */
const emptyDraft = () => structuredClone({ ...DETAIL_FIELDS, side: "" });

/**
 * Drops marks and aspects of an earlier version, which named answers and not sides; nobody can tell
 * which was where.
 *
 * @param {Partial<DraftValues>} draft
 */
export const bySide = (draft) => {
  if (draft.spans?.some(({ side }) => !side)) delete draft.spans;
  if (Object.values(draft.aspects ?? {}).some((best) => typeof best !== "string")) {
    delete draft.aspects;
  }
  return draft;
};

/**
 * The details of the answer given before, so that answering again keeps what was written with it.
 * The reason of a skip and an edited text belong to that answer alone.
 *
 * @param {ShownAnswer | null} current
 */
const answered = (current) => (current ? structuredClone(sharedOf(current)) : {});

/**
 * @param {string} name
 * @returns {Partial<DraftValues>}
 */
const stored = (name) => {
  try {
    return bySide(JSON.parse(localStorage.getItem(name) ?? "null") ?? {});
  } catch {
    return {};
  }
};

export class Draft {
  /**
   * Opens the draft of a pair: what was kept of it here goes before what was answered.
   *
   * @param {string} owner
   * @param {number} pair
   * @param {ShownAnswer | null} current
   */
  constructor(owner, pair, current) {
    this.name = `studio-draft/${owner}/${pair}`;
    /** @type {DraftValues} */
    this.values = { ...emptyDraft(), ...answered(current), ...stored(this.name) };
  }

  keep() {
    try {
      localStorage.setItem(this.name, JSON.stringify(this.values));
    } catch {
      // The answer itself still goes out; only a closed tab would lose this text.
    }
  }

  forget() {
    localStorage.removeItem(this.name);
  }

  /** Whether there is text that a closed page would interrupt: its pair is not given up. */
  get written() {
    const { reason, comment, ideal, edit } = this.values;
    return Boolean(reason || comment || ideal || edit);
  }

  /** What goes along with an answer of every kind. */
  body() {
    return sharedOf(this.values);
  }

  /**
   * Makes everything typed with a refused answer a draft again.
   *
   * @param {string} owner
   * @param {{pair_id: number} & Partial<Details>} body
   */
  static restore(owner, body) {
    const draft = new Draft(owner, body.pair_id, null);
    for (const name of Object.keys(DETAIL_FIELDS)) {
      const typed = Reflect.get(body, name);
      if (typed) Object.assign(draft.values, { [name]: typed });
    }
    draft.keep();
  }
}
