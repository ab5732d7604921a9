// When a pair counts as seen, and which letters count.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { KeyGuard } from "../../../assets/web/annotate/key-guard.js";
import { openBrowser } from "./fakes.js";

const FRAMES = 2 * 16;
let browser;
let hint;
let attributes;
let done;
beforeEach(() => {
  browser = openBrowser();
  hint = { textContent: "" };
  attributes = {};
  done = [];
});
afterEach(() => browser.close());

const openGuard = () =>
  new KeyGuard({ toggleAttribute: (name, on) => (attributes[name] = on) }, hint);
const PAIR = { pair_id: 1 };
const act = () => done.push("act");
/** A pair that has been looked at for long. */
const openSeen = async () => {
  const guard = openGuard();
  guard.watch(PAIR, Promise.resolve(), () => null);
  await browser.clock.pass(5000);
  return guard;
};

test("a pair is seen 400 ms after its images are drawn, and not before", async () => {
  let drawn;
  const guard = openGuard();
  guard.watch(PAIR, new Promise((end) => (drawn = end)), () => done.push("shown"));
  await browser.clock.pass(60_000);
  assert.equal(guard.judged(), false, "its images are not there");
  assert.equal(hint.textContent, "Not counted: this pair has only just appeared");
  await browser.clock.pass(60_000);
  drawn();
  await browser.clock.pass(FRAMES);
  assert.deepEqual(done, ["shown"], "its time begins to count");
  await browser.clock.pass(399);
  assert.equal(attributes["data-seen"], false);
  await browser.clock.pass(1);
  assert.equal(attributes["data-seen"], true);
  assert.equal(guard.judged(), true);
});

test("the moment of a pair that has gone counts for no other", async () => {
  const guard = openGuard();
  guard.watch(PAIR, Promise.resolve(), () => done.push("first"));
  await browser.clock.pass(300);
  guard.watch({ pair_id: 2 }, Promise.resolve(), () => done.push("second"));
  await browser.clock.pass(FRAMES + 200);
  assert.equal(guard.judged(), false);
  assert.deepEqual(done, ["first", "second"]);
});

test("no pair is seen once there is none", async () => {
  const guard = await openSeen();
  guard.leave();
  assert.equal(attributes["data-seen"], false);
  assert.equal(guard.judged(), false);
});

test("a key counts on a pair that is seen", async () => {
  const guard = await openSeen();
  assert.equal(guard.ignores("t", act), false);
});

test("after a key that did not count, no letter does until 700 ms without one", async () => {
  const guard = await openSeen();
  guard.missed("Not counted");
  await browser.clock.pass(600);
  assert.equal(guard.ignores("t", act), true);
  await browser.clock.pass(600);
  assert.equal(guard.ignores("t", act), true, "each letter begins the pause anew");
  assert.equal(attributes["data-seen"], false);
  await browser.clock.pass(700);
  assert.equal(guard.ignores("t", act), false);
  assert.equal(attributes["data-seen"], true);
  assert.deepEqual(done, []);
});

test("a letter right after a text waits, and counts when nothing follows", async () => {
  const guard = await openSeen();
  guard.afterText();
  await browser.clock.pass(100);
  assert.equal(guard.ignores("t", act), true);
  assert.equal(hint.textContent, "T: one moment, in case you are still typing");
  await browser.clock.pass(699);
  assert.deepEqual(done, []);
  await browser.clock.pass(1);
  assert.deepEqual(done, ["act"]);
  assert.equal(hint.textContent, "");
});

test("two letters after a text are text: neither counts", async () => {
  const guard = await openSeen();
  guard.afterText();
  guard.ignores("t", act);
  await browser.clock.pass(120);
  guard.ignores("h", act);
  await browser.clock.pass(5000);
  assert.deepEqual(done, []);
});

test("the same letter twice after a text is one impatient key", async () => {
  const guard = await openSeen();
  guard.afterText();
  guard.ignores("t", act);
  await browser.clock.pass(120);
  guard.ignores("t", act);
  await browser.clock.pass(5000);
  assert.deepEqual(done, ["act"]);
});

test("a letter that is no key is not held after a text", async () => {
  const guard = await openSeen();
  guard.afterText();
  assert.equal(guard.ignores("y", null), true);
  await browser.clock.pass(5000);
  assert.deepEqual(done, []);
});

test("350 ms after a text, letters count at once", async () => {
  const guard = await openSeen();
  guard.afterText();
  await browser.clock.pass(350);
  assert.equal(guard.ignores("t", act), false);
});

test("a key that waited counts for the pair it was pressed on alone", async () => {
  const guard = await openSeen();
  guard.afterText();
  guard.ignores("t", act);
  guard.watch({ pair_id: 2 }, Promise.resolve(), () => null);
  await browser.clock.pass(700);
  assert.deepEqual(done, []);
  assert.equal(hint.textContent, "Not counted: this pair has only just appeared");
});

test("right after a text on a pair not yet seen, no letter is held", async () => {
  const guard = openGuard();
  guard.watch(PAIR, new Promise(() => null), () => null);
  guard.afterText();
  guard.ignores("t", act);
  await browser.clock.pass(5000);
  assert.deepEqual(done, []);
});

test("what did not count is said, and is gone after a while", async () => {
  const guard = await openSeen();
  guard.say("Not counted");
  await browser.clock.pass(1799);
  assert.equal(hint.textContent, "Not counted");
  await browser.clock.pass(1);
  assert.equal(hint.textContent, "");
});

/** Presses `key` on the page, or on a button; returns what became of the event. */
const press = (guard, key, { on = null } = {}) => {
  const event = { key, code: "", shiftKey: false, prevented: 0, preventDefault: () => event.prevented++,
    target: { closest: (selector) => (on && selector.includes(on) ? {} : null) } };
  guard.press(event, { t: "tie", " ": "full", ArrowLeft: "back" }, (action) => done.push(action));
  return event.prevented;
};

test("a key does what it stands for, and nothing else", async () => {
  const guard = await openSeen();
  assert.deepEqual(["t", " ", "ArrowLeft"].map((key) => press(guard, key)), [1, 1, 1]);
  assert.deepEqual(done, ["tie", "full", "back"]);
});

test("a space on a button is left to it", async () => {
  const guard = await openSeen();
  assert.equal(press(guard, " ", { on: "button" }), 0);
  assert.deepEqual(done, []);
});

test("no letter counts right after one that stands for nothing, keys with names do", async () => {
  const guard = await openSeen();
  assert.equal(press(guard, "y"), 0);
  assert.equal(press(guard, "t"), 1);
  assert.deepEqual(done, []);
  assert.equal(hint.textContent, "Not counted: letters count again after a short pause");
  press(guard, "ArrowLeft");
  assert.deepEqual(done, ["back"]);
});

test("a named key that stands for nothing keeps letters as they are", async () => {
  const guard = await openSeen();
  assert.equal(press(guard, "F5"), 0);
  press(guard, "t");
  assert.deepEqual(done, ["tie"]);
});
