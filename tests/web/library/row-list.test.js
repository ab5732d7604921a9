import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { addressWith } from "../../../assets/web/library/address.js";
import { rowsFor } from "../../../assets/web/library/open-row.js";
import { RowTicks } from "../../../assets/web/library/row-ticks.js";

let ticks;
beforeEach(() => {
  ticks = new RowTicks();
});

test("rows that were drawn for the last tick are taken, once", () => {
  assert.equal(ticks.add(), 1);
  assert.equal(ticks.take("1", "1"), "new");
  assert.equal(ticks.take("1", "1"), "known");
});

test("rows that were on their way while something was ticked are old", () => {
  ticks.add();
  ticks.add();
  assert.equal(ticks.take("1", "1"), "old");
  assert.equal(ticks.take("2", "2"), "new");
});

test("rows that were overtaken by others are old", () => {
  assert.equal(ticks.take("5", "0"), "new");
  assert.equal(ticks.take("4", "0"), "old");
  assert.ok(ticks.isOld("4", "0"));
  assert.ok(!ticks.isOld("5", "0"));
});

test("old rows are not remembered: they are old again", () => {
  ticks.add();
  assert.equal(ticks.take("1", "0"), "old");
  assert.equal(ticks.take("1", "0"), "old");
});

test("the address names what is looked at, and an empty value is none", () => {
  const before = "http://studio.test/?tab=data&row=7#top";
  assert.equal(addressWith(before, [["row", ""], ["dataset", "a b"]]),
    "http://studio.test/?tab=data&dataset=a+b#top");
  assert.equal(addressWith(before, new URLSearchParams("row=8")),
    "http://studio.test/?tab=data&row=8#top");
});

test("a text's field grows with the text, up to a height", () => {
  assert.equal(rowsFor(""), 3);
  assert.equal(rowsFor("one\ntwo\nthree"), 5);
  assert.equal(rowsFor("x".repeat(100)), 5);
  assert.equal(rowsFor("x\n".repeat(90)), 14);
});
