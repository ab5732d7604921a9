// How far somebody is, and what is said when there is no pair.

import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyState } from "../../../assets/web/annotate/empty-state.js";
import { counted, countsLine, many, pairsLeft } from "../../../assets/web/annotate/progress.js";

const PROGRESS = {
  labelled: 4, total: 10, waiting: 6, today: 2, median_seconds: 3.5, elsewhere: 0,
  day: "2026-11-30", since: "2026-11-30", twice: 0, pairs: 10,
};

test("one is singular, thousands have their comma", () => {
  assert.deepEqual([many(1, "pair"), many(0, "pair"), many(1200, "pair")],
    ["1 pair", "0 pairs", "1,200 pairs"]);
});

test("pairs left are in proportion, and never none while something waits", () => {
  assert.equal(pairsLeft({ labelled: 4, waiting: 6, twice: 0 }), 6);
  assert.equal(pairsLeft({ labelled: 5, waiting: 5, twice: 2 }), 4);
  assert.equal(pairsLeft({ labelled: 99, waiting: 1, twice: 50 }), 1);
  assert.equal(pairsLeft({ labelled: 0, waiting: 0, twice: 0 }), 0);
});

test("an answer counts at once, and its undo takes it back", () => {
  const more = counted(PROGRESS, 1, 0);
  assert.deepEqual([more.labelled, more.today, more.waiting, more.total], [5, 3, 5, 10]);
  assert.deepEqual(counted(more, -1, 0), PROGRESS);
});

test("pairs that were fetched are left, whatever was expected to come", () => {
  const { waiting, total, pairs } = counted({ ...PROGRESS, waiting: 1, twice: 2 }, 1, 3);
  assert.deepEqual([waiting, total, pairs], [3, 10, 8]);
  assert.equal(counted({ ...PROGRESS, waiting: 1, total: 5 }, 1, 3).total, 8);
});

test("the counts are said in one line", () => {
  assert.match(countsLine(PROGRESS), /^6 left of 10 pairs · 4 answers by you · 2 today, 30 Nov.* · median 3\.5 s$/);
  const done = countsLine({ ...PROGRESS, waiting: 0, median_seconds: null, since: "2026-11-28" });
  assert.match(done, /^none left of 10 pairs · 4 answers by you since 28 Nov/);
});

const state = (progress, more = {}) => emptyState({
  progress: progress && { ...PROGRESS, ...progress }, datasets: [], dataset: "", lead: false,
  standing: {}, ...more,
});

test("without pairs a lead imports some, and others look again", () => {
  assert.deepEqual(state(null, { lead: true }).buttons[0][0], "import-samples");
  assert.deepEqual(state({ total: 0, labelled: 0, waiting: 0 }).buttons[0][0], "look-again");
});

test("pairs in other hands are waited for", () => {
  assert.equal(state({ waiting: 3 }).title, "3 pairs in other hands");
});

test("when all is done a lead may export the votes of the dataset that is chosen", () => {
  const datasets = [{ name: "charts", pairs: 9, labelled: 5 }, { name: "other", pairs: 9, labelled: 2 }];
  const done = { labelled: 10, total: 10, waiting: 0 };
  assert.equal(state(done).title, "All 10 pairs done");
  assert.deepEqual(state(done, { datasets }).buttons.map(([act]) => act), ["look-again"]);
  const [exporting] = state(done, { datasets, lead: true }).buttons;
  assert.deepEqual(exporting.slice(0, 2), ["export-now", "Export 7 labelled pairs for training"]);
  assert.match(state(done, { datasets, lead: true, dataset: "charts" }).buttons[0][1], /^Export 5 /);
});

test("pairs that others have finished are not called done", () => {
  const { title, text } = state({ labelled: 6, total: 10, waiting: 0, elsewhere: 2 });
  assert.equal(title, "Nothing left for you");
  assert.match(text, /You answered 6 pairs of 10.* 2 pairs still wait for other people/);
});

test("second answers are no further pairs", () => {
  const { title, text } = state({ labelled: 12, total: 10, twice: 2, waiting: 0 });
  assert.deepEqual([title, /You gave 12 answers/.test(text)], ["All 10 pairs done", true]);
});

test("a failed qualification goes before everything", () => {
  assert.equal(state({ waiting: 3 }, { standing: { charts: "failed" } }).title, "Please talk to the lead");
});
