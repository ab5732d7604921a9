// The kinds of answers, and what they are called.

/** @type {Readonly<Record<string, string>>} */
export const KIND_NAMES = Object.freeze({
  tie: "Tie",
  both_good: "Both good",
  both_bad: "Both bad",
  unsure: "Can't tell",
  skip: "Skipped",
});

/** Kinds that say something about the answers; the others abstain. */
const VOTES = ["choose", "tie", "both_good", "both_bad"];

/** @param {{kind: string} | null | undefined} answer */
export const isVote = (answer) => VOTES.includes(answer?.kind ?? "");

export const SKIP_REASONS = Object.freeze([
  "Image unclear", "Question unclear", "I don't know enough", "Offensive or private",
]);
