// What Decide says of votes, and which answer becomes gold.

import assert from "node:assert/strict";
import { test } from "node:test";

import { goldAnswer, voteDetails, voteWords } from "../../../assets/web/annotate/adjudication.js";
import { scroll } from "../../../assets/web/annotate/long-texts.js";
import { card } from "./fakes.js";

const vote = (kind, winner = null, more = {}) =>
  ({ kind, winner, strength: "", flagged: false, informed: false, aspects: {}, spans: [], ...more });

test("a vote is said by side and strength, with its flag and what the voter knew", () => {
  assert.equal(voteWords(vote("choose", "left", { strength: "clearly" })), "A clearly");
  assert.equal(voteWords(vote("choose", "right")), "B");
  assert.equal(voteWords(vote("both_bad", null, { flagged: true })), "Both bad ⚑");
  assert.equal(voteWords(vote("skip", null, { informed: true })), "Skipped (authors seen)");
});

test("aspects and marked words are said by side", () => {
  const given = vote("choose", "left", {
    aspects: { style: "right", facts: "" }, spans: [{ side: "left", start: 2, end: 5 }],
  });
  assert.deepEqual(voteDetails(given, card(1)), ["style: B", "facts: =", "wrong in A: “cat”"]);
});

test("gold is what was decided, or else what everybody said", () => {
  const agreed = [vote("choose", "left"), vote("choose", "left")];
  assert.deepEqual(goldAnswer({ decided: null, votes: agreed }), ["choose", "left"]);
  assert.deepEqual(goldAnswer({ decided: ["tie", null], votes: agreed }), ["tie", null]);
});

test("nothing becomes gold where people disagree, skip, or nobody voted", () => {
  const disputed = [vote("choose", "left"), vote("choose", "right")];
  for (const votes of [disputed, [vote("skip")], [vote("unsure")], []]) {
    assert.equal(goldAnswer({ decided: null, votes }), null);
  }
});

const place = (scrollTop, scrollHeight) => ({ scrollTop, scrollHeight, clientHeight: 100 });

test("a long question scrolls to its end before the answers do, and back after them", () => {
  const [question, left, right] = [place(0, 150), place(0, 300), place(0, 90)];
  assert.equal(scroll(question, [left, right], 80), true);
  assert.deepEqual([question.scrollTop, left.scrollTop], [80, 0]);
  scroll(question, [left, right], 80);
  assert.deepEqual([question.scrollTop, left.scrollTop], [80, 80]);
  scroll(question, [left, right], -80);
  assert.deepEqual([question.scrollTop, left.scrollTop], [80, 0]);
  scroll(question, [left, right], -80);
  assert.equal(question.scrollTop, 0);
});

test("texts that fit leave the key to the page", () => {
  assert.equal(scroll(place(0, 90), [place(0, 90), place(0, 90)], 80), false);
});
