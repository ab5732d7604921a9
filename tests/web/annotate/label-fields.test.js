// The fields of a label are listed once here, and are those that the studio takes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { nextJudgement } from "../../../assets/web/annotate/answer-details.js";
import { withMark } from "../../../assets/web/annotate/marked-words.js";
import { DETAIL_FIELDS } from "../../../assets/web/annotate/label-fields.js";

const ROOT = new URL("../../../", import.meta.url);
const fieldsOf = (name, path) => {
  const [, body] = readFileSync(new URL(path, ROOT), "utf8").split(`class ${name}`);
  const [own] = body.split(/\n(?:class |@dataclass|    def )/);
  return [...own.matchAll(/^ {4}(\w+): /gm)].map(([, field]) => field);
};

test("the studio takes each field, and the page knows each that somebody can fill in", () => {
  const taken = fieldsOf("SaveBody", "studio/api/annotate.py");
  const shown = ["AnswerDetails", "ShownAnswer"]
    .flatMap((name) => fieldsOf(name, "studio/annotation/records.py"));
  assert.deepEqual(Object.keys(DETAIL_FIELDS).filter((name) => !taken.includes(name)), []);
  assert.deepEqual(Object.keys(DETAIL_FIELDS).sort(),
    shown.filter((name) => !["kind", "winner", "strength"].includes(name)).sort());
});

test("an aspect is judged –, A, B, both alike, and – again", () => {
  const judged = [undefined];
  for (let press = 0; press < 4; press += 1) judged.push(nextJudgement(judged.at(-1)));
  assert.deepEqual(judged, [undefined, "left", "right", "", undefined]);
});

const mark = (start, end, side = "left") => ({ side, start, end });

test("a mark is one more, or takes away those that it touches", () => {
  const marks = [mark(0, 4), mark(5, 9)];
  assert.deepEqual(withMark(marks, mark(10, 12)), [...marks, mark(10, 12)]);
  assert.deepEqual(withMark(marks, mark(3, 6)), []);
  assert.deepEqual(withMark(marks, mark(6, 7)), [mark(0, 4)]);
  assert.deepEqual(withMark(marks, mark(4, 5)), [...marks, mark(4, 5)], "beside is not on it");
  assert.deepEqual(withMark(marks, mark(0, 4, "right")), [...marks, mark(0, 4, "right")]);
});
