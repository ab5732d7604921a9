// Where two answers differ, and where a text is cut to show it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cutAt, differences, wordPieces } from "../../../assets/web/annotate/differences.js";

const different = (text, other) =>
  differences(text, other).map(({ start, end }) => text.slice(start, end));

test("equal texts do not differ", () => {
  assert.deepEqual(differences("The bar is red.", "The bar is red."), []);
  assert.deepEqual(differences("", ""), []);
});

test("words that the other has not are different, on both sides", () => {
  assert.deepEqual(different("The red bar is tall.", "The blue bar is tall."), ["red"]);
  assert.deepEqual(different("The blue bar is tall.", "The red bar is tall."), ["blue"]);
});

test("a word more is different where it is, and nothing where it is not", () => {
  assert.deepEqual(different("a tall red bar", "a red bar"), ["tall"]);
  assert.deepEqual(different("a red bar", "a tall red bar"), []);
});

test("against an empty answer each word is different, and no space", () => {
  assert.deepEqual(different("two  words", ""), ["two", "words"]);
});

test("signs are words of their own", () => {
  assert.deepEqual(different("Yes, 12%.", "Yes, 13%."), ["12"]);
  assert.deepEqual(different("Yes!", "Yes."), ["!"]);
});

test("words of all scripts are compared whole", () => {
  assert.deepEqual(different("größer als", "kleiner als"), ["größer"]);
  assert.deepEqual(different("красный столб", "синий столб"), ["красный"]);
});

test("words in another order: the longest common row stays", () => {
  assert.deepEqual(different("b c d a", "a b c d"), ["a"]);
  assert.deepEqual(different("a b c d", "b c d a"), ["a"]);
});

test("capitals differ", () => {
  assert.deepEqual(different("The bar", "the bar"), ["The"]);
});

test("very long texts are not compared", () => {
  const long = Array.from({ length: 401 }, (_, index) => `w${index}`).join(" ");
  assert.deepEqual(differences(long, "short"), []);
  assert.deepEqual(differences("short", long), []);
  const shorter = Array.from({ length: 400 }, (_, index) => `w${index}`).join(" ");
  assert.equal(differences(shorter, "").length, 400);
});

test("the words of a text are found with their places", () => {
  const text = "No: 3 cats";
  assert.deepEqual(wordPieces(text).map(({ start, end }) => text.slice(start, end)),
    ["No", ":", "3", "cats"]);
  assert.deepEqual(wordPieces("  "), []);
});

test("a text is cut at every edge of its pieces, and nothing of it is lost", () => {
  const text = "abcdef";
  const pieces = [{ start: 1, end: 4 }, { start: 3, end: 5 }];
  const cuts = cutAt(text, pieces).map(({ start, end }) => text.slice(start, end));
  assert.deepEqual(cuts, ["a", "bc", "d", "e", "f"]);
  assert.equal(cuts.join(""), text);
});

test("edges beyond the text, of an answer that was edited since, cut nothing", () => {
  assert.deepEqual(cutAt("abc", [{ start: 2, end: 9 }]), [{ start: 0, end: 2 }, { start: 2, end: 3 }]);
  assert.deepEqual(cutAt("", []), []);
});
