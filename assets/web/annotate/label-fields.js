// What a page and the studio send each other (studio/api/annotate.py, team.py), and the fields of
// a label. Everything else here names the fields through these lists: a field that is missing in
// one of five places is a text that somebody typed and nobody kept.

/** @typedef {"left" | "right"} Side */
/** @typedef {"choose" | "tie" | "both_good" | "both_bad" | "skip" | "unsure"} Kind */
/** @typedef {"" | "slightly" | "clearly"} Strength */
/** @typedef {{side: Side, start: number, end: number}} Span A piece marked as wrong. */
/** @typedef {Record<string, Side | "">} Aspects By aspect the better side; "" where both are alike. */

/** Fields that go with every answer, each with its empty value. */
export const SHARED_FIELDS = {
  comment: "",
  ideal: "",
  flagged: false,
  aspects: /** @type {Aspects} */ ({}),
  spans: /** @type {Span[]} */ ([]),
};

/** Fields that go with one kind of answer only: the reason of a skip, the choice's edited text. */
export const KIND_FIELDS = { reason: "", edit: "" };

/** All that somebody fills in beside the choice itself. */
export const DETAIL_FIELDS = { ...KIND_FIELDS, ...SHARED_FIELDS };

/** @typedef {typeof SHARED_FIELDS} SharedDetails */
/** @typedef {typeof KIND_FIELDS} KindDetails */
/** @typedef {typeof DETAIL_FIELDS} Details */

/** @typedef {{kind: Kind, winner: Side | null, strength: Strength}} Choice */
/** @typedef {Choice & Details} ShownAnswer The answer that somebody gives now. */
/** @typedef {{text: string}} ShownSide */
/** @typedef {{role: string, parts: {text: string}[]}} Message */

/**
 * One pair as a page knows it; `Showing` in studio/annotation/records.py.
 *
 * @typedef {object} Card
 * @property {number} pair_id stands for this showing of the pair to this person
 * @property {string} showing goes back with the answer: which answer was on which side
 * @property {string} dataset
 * @property {string[]} images each a sha256
 * @property {Message[]} prompt
 * @property {string} question
 * @property {ShownSide} left
 * @property {ShownSide} right
 * @property {number} version grows by one with every answer and undo; does not begin at 0
 * @property {ShownAnswer | null} current
 * @property {string[]} aspects
 * @property {boolean} markdown
 * @property {number} guideline
 * @property {string[]} authors
 */

/**
 * @typedef {object} Progress
 * @property {number} labelled
 * @property {number} total
 * @property {number} waiting
 * @property {number} today
 * @property {number | null} median_seconds
 * @property {number} elsewhere
 * @property {string} day
 * @property {string} since
 * @property {number} twice
 * @property {number} pairs
 */

/** @typedef {{name: string, pairs: number, labelled: number, waiting: number}} DatasetView */
/** @typedef {Record<string, string>} Standing By dataset, how a qualification round went. */

/** @typedef {{dataset: string | null, count: number, progress: boolean}} NextBody */
/**
 * @typedef {object} NextReply
 * @property {string} user
 * @property {boolean} lead
 * @property {Card[]} cards
 * @property {Progress | null} progress
 * @property {number} stamp
 * @property {Standing} standing
 */

/**
 * What an answer to a card carries beside its details.
 *
 * @typedef {object} AnswerHead
 * @property {number} pair_id
 * @property {string} showing
 * @property {Kind} kind
 * @property {Side | null} winner
 * @property {number} expected_version
 * @property {number} elapsed_ms
 * @property {number} guideline
 * @property {NextBody} next
 */
/** @typedef {AnswerHead & SharedDetails & Partial<KindDetails> & {strength?: Strength}} SaveBody */
/** @typedef {{pair_id: number, showing: string, dataset: string | null}} UndoBody */
/** @typedef {{feedback?: string, version: number}} Saved */
/** @typedef {{saved: Saved, next: NextReply | null}} SaveReply */
/** @typedef {{card: Card | null, progress: Progress}} UndoReply */

/**
 * @typedef {object} HistoryEntry
 * @property {number} label_id
 * @property {number} pair_id
 * @property {boolean} current whether it is the answer that stands
 */
/** @typedef {{version: number, text: string}} GuidelineView */
/** @typedef {{gold: boolean, version?: undefined}} GoldReply */

/**
 * A vote as Decide shows it.
 *
 * @typedef {Choice & Details & {annotator: string, informed: boolean, elapsed_ms: number | null}} Vote
 */
/** @typedef {Exclude<Kind, "skip" | "unsure">} Verdict */
/**
 * A pair to decide; `ShownCase` in studio/annotation/quality/adjudication.py.
 *
 * @typedef {object} Case
 * @property {Card} card with the pair's own number
 * @property {string} why
 * @property {Vote[]} votes
 * @property {string[]} authors empty before the decision
 * @property {[Verdict, Side | null] | null} decided
 * @property {string} decided_by
 * @property {number} waiting
 * @property {[Verdict, Side | null] | null} gold
 * @property {number} version
 * @property {number} gold_version
 */
/** @typedef {{case: Case | null}} CaseReply */

/** What a refusal says; `version` where a conflict names the one that stands. */
/** @typedef {{message?: string, remedy?: string, field?: string, version?: number}} Refusal */
/**
 * @template Json
 * @typedef {{status: number, ok: true, json: Json} | {status: number, ok: false, json: Refusal}} Reply
 */
