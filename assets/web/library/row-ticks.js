// Which answer of the server shows the rows with their ticks as they are now.

/** Counts what was ticked here, and tells answers that know of it from those that do not yet. */
export class RowTicks {
  constructor() {
    this.ticks = 0;
    this.newest = 0;
    /** @type {string | undefined} */
    this.drawn = undefined;
  }

  /**
   * Counts one more tick.
   *
   * @returns {number} Its number, which comes back with the rows that know of it.
   */
  add() {
    this.ticks += 1;
    return this.ticks;
  }

  /**
   * Says whether rows were on their way while something was ticked, or were overtaken by others.
   *
   * @param {string | undefined} drawn The number of the answer that drew them.
   * @param {string | undefined} ticks The last tick that it knew of.
   * @returns {boolean}
   */
  isOld(drawn, ticks) {
    return Number(drawn) < this.newest || Number(ticks) < this.ticks;
  }

  /**
   * Takes rows that were drawn.
   *
   * @param {string | undefined} drawn
   * @param {string | undefined} ticks
   * @returns {"known" | "old" | "new"}
   */
  take(drawn, ticks) {
    if (drawn === this.drawn) return "known";
    if (this.isOld(drawn, ticks)) return "old";
    this.newest = Number(drawn);
    this.drawn = drawn;
    return "new";
  }
}
