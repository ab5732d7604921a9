import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { keepLook, parseLook, recallLook } from "../../../assets/web/runs/curve-options.js";
import { cut, minute, pictureName } from "../../../assets/web/runs/curve-picture.js";
import { fileNameOf, refusal } from "../../../assets/web/runs/export-files.js";
import { twinOf } from "../../../assets/web/runs/focus-and-scroll.js";
import { withKeptLook, withRecalledLook } from "../../../assets/web/runs/event-values.js";
import { askToGoBack } from "../../../assets/web/runs/run-list.js";

class FakeStorage {
  constructor() {
    this.kept = new Map();
  }

  getItem(name) {
    return this.kept.get(name) ?? null;
  }

  setItem(name, value) {
    this.kept.set(name, String(value));
  }
}

class FullStorage {
  getItem() {
    throw new Error("denied");
  }

  setItem() {
    throw new Error("full");
  }
}

afterEach(() => {
  delete globalThis.localStorage;
});

test("the button that was drawn anew gets the focus", () => {
  const buttons = [{ run: "a", act: "up" }, { run: "b", act: "up" }, { run: "b" }];
  assert.equal(twinOf(buttons, { run: "b", act: "up" }), 1);
  assert.equal(twinOf(buttons, { run: "b" }), 2);
});

test("where a button is gone, another one of the same run has the focus", () => {
  const buttons = [{ run: "a" }, { run: "b", act: "down" }];
  assert.equal(twinOf(buttons, { run: "b", act: "up" }), 1);
  assert.equal(twinOf([{ step: "20" }, { step: "30" }], { use: "30" }), 1);
  assert.equal(twinOf(buttons, { run: "c", act: "up" }), -1);
  assert.equal(twinOf(buttons, { run: "b" }), -1); // choosing a run is not acting on it
});

test("the look of curves is kept, and nonsense is not taken for one", () => {
  assert.deepEqual(parseLook("[0.65,true]"), [0.65, true]);
  assert.deepEqual(parseLook('[0.65,"yes"]'), [0.65, false]);
  for (const nonsense of [null, "", "{", "null", "[1,true]", "[-0.1,true]", '["a"]', "{}"]) {
    assert.equal(parseLook(nonsense), null, nonsense);
  }
});

test("looks go along with what is asked, as they were left", () => {
  globalThis.localStorage = new FakeStorage();
  assert.deepEqual(withRecalledLook("run", ["b"], 0.6, false, "link"), ["run", ["b"], 0.6, false, "link"]);
  assert.deepEqual(withKeptLook("run", ["b"], 0.2, true), ["run", ["b"], 0.2, true]);
  assert.deepEqual(withRecalledLook("run", ["b"], 0.6, false, "link"), ["run", ["b"], 0.2, true, "link"]);
});

test("a browser that keeps nothing shows curves all the same", () => {
  globalThis.localStorage = new FullStorage();
  assert.deepEqual(keepLook([0.3, true]), [0.3, true]);
  assert.deepEqual(recallLook([0.6, false]), [0.6, false]);
});

test("a file has the name that the server gives, else that of its address", () => {
  assert.equal(fileNameOf('attachment; filename="run 1.csv"', "/studio/x"), "run 1.csv");
  assert.equal(fileNameOf(null, "/studio/runs/a/metrics.csv"), "metrics.csv");
});

test("a refusal says where, what and what to do", () => {
  assert.equal(refusal({}, 502), "The server answered 502.");
  assert.equal(refusal({ message: "Too many.", remedy: "Take 4.", field: "gpus" }, 422),
    "gpus: Too many. Take 4.");
  assert.equal(refusal({ message: "gpus is no number.", field: "gpus" }, 422), "gpus is no number.");
});

test("going back warns of checkpoints that are lost", () => {
  assert.equal(askToGoBack(20, [10, 20, 30]), "Go on from step 20? Later checkpoints are deleted.");
  assert.equal(askToGoBack(30, [10, 20, 30]), "Go on from step 30?");
});

test("a name in the picture is cut to its room", () => {
  const measure = (text) => text.length;
  assert.equal(cut(measure, "short", 10), "short");
  assert.equal(cut(measure, "a long name", 7), "a long…");
  assert.equal(cut(measure, "a b", 0), "a…");
});

test("the picture has a date and a name for a file", () => {
  assert.equal(minute(new Date(2026, 4, 3, 4, 5)), "2026-05-03 04:05");
  assert.equal(pictureName("läuft / 2"), "läuft-2.png");
  assert.equal(pictureName("x".repeat(90)).length, 64);
});
