// Gold: for leads, the answer on show becomes the known right one; the same again takes it back.
import { isVote } from "./label-kinds.js";
import { toggleGold } from "./requests.js";

/**
 * @typedef {object} GoldPage
 * @property {import("./label-fields.js").Card | null} shown
 * @property {boolean} lead
 * @property {(text: string) => void} notice
 * @property {(why: string) => void} missed
 */

export class GoldMark {
  /** @param {GoldPage} page */
  constructor(page) {
    this.page = page;
    /** @type {{pair: number, version: number} | null} */
    this.told = null;
  }

  async toggle() {
    const { page } = this;
    if (!page.lead) return page.missed("Not counted: only a lead makes pairs gold");
    if (!page.shown || !isVote(page.shown.current)) {
      return page.notice("Answer the pair, look back at it with ←, then make it gold.");
    }
    const pair = page.shown.pair_id;
    // Another lead's gold is changed only after this one was told of it.
    const reply = await toggleGold(pair, this.told?.pair === pair ? this.told.version : 0);
    this.told = reply?.json.version ? { pair, version: reply.json.version } : null;
    if (!reply?.ok) return page.notice(refusalText(reply?.json ?? {}));
    return page.notice(!reply.json.gold ? "This pair is gold no longer." :
      "Gold: everybody gets this pair, and your answer is the right one. Your comment explains " +
      "it where feedback is on.");
  }
}

/** @param {import("./label-fields.js").Refusal} refusal */
const refusalText = ({ message = "No connection.", remedy = "" }) => `${message} ${remedy}`;
