// What is typed about a pair stays until an answer has taken it along.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Draft } from "../../../assets/web/annotate/drafts.js";
import { DETAIL_FIELDS } from "../../../assets/web/annotate/label-fields.js";
import { openBrowser } from "./fakes.js";

const GIVEN = {
  kind: "choose", winner: "left", strength: "clearly", reason: "unclear", comment: "blurred",
  edit: "A black cat.", ideal: "A cat.", flagged: true, aspects: { style: "left" },
  spans: [{ side: "left", start: 0, end: 1 }],
};

let browser;
beforeEach(() => (browser = openBrowser()));
afterEach(() => browser.close());

test("a new draft is empty, and shares nothing with another", () => {
  const [one, other] = [new Draft("anna", 1, null), new Draft("anna", 2, null)];
  assert.deepEqual(one.values, { ...DETAIL_FIELDS, side: "" });
  one.values.spans.push({ side: "left", start: 0, end: 1 });
  one.values.aspects.style = "left";
  assert.deepEqual([other.values.spans, other.values.aspects], [[], {}]);
  assert.deepEqual([new Draft("anna", 3, null).values.spans, DETAIL_FIELDS.spans], [[], []]);
});

test("what is kept is there after a reload, for its pair and its owner alone", () => {
  const draft = new Draft("anna", 1, null);
  Object.assign(draft.values, { edit: "A black cat.", side: "left", flagged: true });
  draft.keep();
  const again = new Draft("anna", 1, null).values;
  assert.deepEqual([again.edit, again.side, again.flagged], ["A black cat.", "left", true]);
  assert.equal(new Draft("anna", 2, null).values.edit, "");
  assert.equal(new Draft("ben", 1, null).values.edit, "");
  assert.equal(new Draft("anna/2", 1, null).values.edit, "");
});

test("drafts lie where the versions before put them", () => {
  new Draft("anna", 1, null).keep();
  assert.deepEqual(Object.keys(browser.storage), ["studio-draft/anna/1"]);
});

test("a forgotten draft is gone", () => {
  const draft = new Draft("anna", 1, null);
  draft.values.comment = "blurred";
  draft.keep();
  draft.forget();
  assert.equal(new Draft("anna", 1, null).values.comment, "");
});

test("answering again keeps what was written with the answer, but for its reason and edit", () => {
  const { values } = new Draft("anna", 1, GIVEN);
  assert.deepEqual(values, {
    reason: "", edit: "", side: "", comment: "blurred", ideal: "A cat.", flagged: true,
    aspects: { style: "left" }, spans: [{ side: "left", start: 0, end: 1 }],
  });
  values.aspects.style = "right";
  values.spans.push({ side: "right", start: 0, end: 1 });
  assert.deepEqual([GIVEN.aspects, GIVEN.spans.length], [{ style: "left" }, 1], "the answer stays as it is");
});

test("what was typed since goes before what was answered", () => {
  const draft = new Draft("anna", 1, GIVEN);
  draft.values.comment = "sharp";
  draft.keep();
  assert.equal(new Draft("anna", 1, GIVEN).values.comment, "sharp");
});

test("along with an answer go the fields of all kinds, and no reason or edit", () => {
  const draft = new Draft("anna", 1, null);
  Object.assign(draft.values, { reason: "unclear", edit: "x", side: "left", comment: "blurred" });
  assert.deepEqual(draft.body(), { comment: "blurred", ideal: "", flagged: false, aspects: {}, spans: [] });
});

test("whatever is typed counts as written; a flag alone does not", () => {
  for (const field of ["reason", "comment", "ideal", "edit"]) {
    const draft = new Draft("anna", 1, null);
    assert.equal(draft.written, false);
    draft.values[field] = "x";
    assert.equal(draft.written, true, field);
  }
  const flagged = new Draft("anna", 1, null);
  flagged.values.flagged = true;
  assert.equal(flagged.written, false);
});

test("everything typed with a refused answer is a draft again", () => {
  const { kind, winner, strength, ...typed } = GIVEN;
  Draft.restore("anna", { pair_id: 1, kind, winner, strength, expected_version: 3, ...typed });
  assert.deepEqual(new Draft("anna", 1, null).values, { ...typed, side: "" });
});

test("a refused answer takes nothing away from a draft that has been begun since", () => {
  const draft = new Draft("anna", 1, null);
  draft.values.ideal = "A cat.";
  draft.keep();
  Draft.restore("anna", { pair_id: 1, ideal: "", comment: "blurred" });
  const { ideal, comment } = new Draft("anna", 1, null).values;
  assert.deepEqual([ideal, comment], ["A cat.", "blurred"]);
});

test("marks and aspects of an older version, which named answers, are dropped", () => {
  const old = { comment: "blurred", spans: [{ candidate_id: 4, start: 0, end: 1 }], aspects: { style: 4 } };
  browser.storage.setItem("studio-draft/anna/1", JSON.stringify(old));
  const { comment, spans, aspects } = new Draft("anna", 1, null).values;
  assert.deepEqual([comment, spans, aspects], ["blurred", [], {}]);
});

test("a torn draft is an empty one", () => {
  browser.storage.setItem("studio-draft/anna/1", "{\"comment\": \"bl");
  assert.deepEqual(new Draft("anna", 1, null).values, { ...DETAIL_FIELDS, side: "" });
});

test("a full browser stops nobody", () => {
  browser.storage.fill();
  const draft = new Draft("anna", 1, null);
  draft.values.comment = "blurred";
  draft.keep();
  assert.equal(draft.body().comment, "blurred");
});
