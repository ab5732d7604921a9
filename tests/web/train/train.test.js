import assert from "node:assert/strict";
import { test } from "node:test";

import { placeIds } from "../../../assets/web/train/field-errors.js";
import { gatherValues } from "../../../assets/web/train/event-values.js";
import { fileName } from "../../../assets/web/train/run-file-download.js";
import { hasAll, sayHits, wordsOf } from "../../../assets/web/train/setting-search.js";

test("a problem stands at its setting, else at what that is part of", () => {
  assert.deepEqual(placeIds("dpo.losses.sigmoid"),
    ["set-dpo-losses-sigmoid", "set-dpo-losses", "set-dpo"]);
  assert.deepEqual(placeIds("name"), ["set-name"]);
});

test("a setting is found by all words, in any case and order", () => {
  const words = wordsOf("  Rate   LEARN ");
  assert.deepEqual(words, ["rate", "learn"]);
  assert.ok(hasAll("Learning rate", words));
  assert.ok(!hasAll("Learning", words));
  assert.ok(hasAll("anything", wordsOf(null)));
});

test("the search says how much it found", () => {
  assert.equal(sayHits("  ", 90), "");
  assert.equal(sayHits("beta ", 1), "1 setting with “beta”. Esc shows all again.");
  assert.equal(sayHits("lr", 3), "3 settings with “lr”. Esc shows all again.");
  assert.match(sayHits("qqq", 0), /^No setting has “qqq”\./);
});

test("a run file has a name that every disk takes", () => {
  assert.equal(fileName("my run/2: ü.yaml"), "my-run-2-.yaml");
});

test("all values of the form go as one", () => {
  assert.deepEqual(gatherValues(1, null, ["a"]), [[1, null, ["a"]]]);
});
