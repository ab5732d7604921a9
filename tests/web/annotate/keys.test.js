// Every key of the annotating page and of Decide, on keyboards of several scripts.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  DECIDE_KEYS, KEYS, actionOf, composing, goesOn, keyName, pressable, takesText, targetOf,
} from "../../../assets/web/annotate/keys.js";

const press = (key, code = "", shiftKey = false) => ({ key, code, shiftKey });
const actionsOf = (keys, presses) => presses.map((event) => actionOf(keys, keyName(event)));

const ANNOTATE = [
  ["1", "left"], ["2", "right"], ["q", "left-slightly"], ["w", "right-slightly"],
  ["!", "left-clearly"], ["@", "right-clearly"], ["t", "tie"], ["g", "both_good"],
  ["b", "both-bad"], ["u", "unsure"], ["s", "skip"], ["f", "flag"], ["e", "edit"], ["n", "ideal"],
  ["c", "comment"], ["m", "mark"], ["d", "differences"], ["l", "guidelines"], ["z", "undo"],
  ["?", "help"], ["+", "zoom-in"], ["=", "zoom-in"], ["-", "zoom-out"], ["0", "zoom-fit"],
  ["r", "rotate"], [" ", "full"], ["ArrowLeft", "back"], ["ArrowRight", "forward"],
  ["v", "notice-look"], ["o", "gold"], ["4", "aspect-0"], ["5", "aspect-1"], ["6", "aspect-2"],
  ["7", "aspect-3"], ["8", "aspect-4"], ["9", "aspect-5"],
];
const DECIDE = [
  ["1", "left"], ["2", "right"], ["t", "tie"], ["g", "both_good"], ["b", "both_bad"],
  ["x", "reopen"], ["o", "gold"], ["ArrowRight", "next"], ["ArrowLeft", "back"], ["z", "back"],
  ["c", "comment"], ["+", "zoom-in"], ["=", "zoom-in"], ["-", "zoom-out"], ["0", "zoom-fit"],
  ["r", "rotate"], [" ", "full"],
];

for (const [where, keys, bindings] of [["Annotate", KEYS, ANNOTATE], ["Decide", DECIDE_KEYS, DECIDE]]) {
  test(`each key of ${where} does what it is said to, and there are no others`, () => {
    for (const [key, action] of bindings) assert.equal(actionOf(keys, keyName(press(key))), action, key);
    assert.deepEqual(Object.keys(keys).sort(), bindings.map(([key]) => key).sort());
  });
}

test("other keys do nothing, whatever objects have of that name", () => {
  const others = ["y", "3", "Enter", "Tab", "F5", "Shift", "toString", "constructor", "__proto__"];
  assert.deepEqual(actionsOf(KEYS, others.map((key) => press(key))), others.map(() => null));
});

test("capitals are the same keys", () => {
  assert.deepEqual(actionsOf(KEYS, [press("T", "KeyT", true), press("Z", "KeyZ")]), ["tie", "undo"]);
});

test("the cap counts on keyboards of other scripts", () => {
  const russian = [press("е", "KeyT"), press("я", "KeyZ"), press("и", "KeyB")];
  assert.deepEqual(actionsOf(KEYS, russian), ["tie", "undo", "both-bad"]);
  assert.equal(keyName(press("١", "Digit1")), "1");
});

test("the letter counts where the caps are moved", () => {
  assert.equal(actionOf(KEYS, keyName(press("z", "KeyY"))), "undo");
});

test("Shift and 1 or 2 are “clearly” on every layout", () => {
  const layouts = [press("!", "Digit1", true), press("1", "Digit1", true), press("&", "Digit1", true),
    press("\"", "Digit2", true), press("@", "Digit2", true)];
  assert.deepEqual(actionsOf(KEYS, layouts),
    ["left-clearly", "left-clearly", "left-clearly", "right-clearly", "right-clearly"]);
});

test("a letter beyond ASCII is its cap, a sign is itself", () => {
  assert.deepEqual(actionsOf(KEYS, [press("é", "Digit2"), press("&", "Digit1")]), ["right", null]);
});

test("only keys that scroll or move the image go on while they are held", () => {
  assert.deepEqual(["ArrowUp", "ArrowDown"].map((key) => goesOn(press(key))), [true, true]);
  assert.equal(goesOn(press("ArrowLeft", "", true)), true);
  const once = [press("ArrowLeft"), press("1"), press("t", "KeyT", true), press("Enter"), press(" ")];
  assert.deepEqual(once.map(goesOn), once.map(() => false));
});

const within = (...found) => ({ closest: (selector) => {
  const parts = selector.split(",").map((part) => part.trim());
  return parts.some((part) => found.includes(part)) ? {} : null;
} });

test("letters typed into a field are no keys", () => {
  for (const field of ["input", "textarea", "select", "[contenteditable=true]"]) {
    assert.equal(takesText(within(field)), true, field);
  }
  assert.equal(takesText(within("div")), false);
  assert.equal(takesText(null), false);
});

test("Enter and space press a button, a link or another tab, and not the tab one is in", () => {
  for (const pressed of ["button:not([aria-selected=true])", "a"]) {
    assert.equal(pressable(within(pressed)), true, pressed);
  }
  assert.equal(pressable(within("button[aria-selected=true]")), false);
  assert.equal(pressable(null), false);
});

test("an event of the document itself has no surroundings", () => {
  const inside = within("a");
  assert.equal(targetOf({ target: inside }), inside);
  assert.equal(targetOf({ target: {} }), null);
  assert.equal(targetOf({ target: null }), null);
});

test("keys of an input method make letters, and are none", () => {
  assert.equal(composing({ isComposing: true, keyCode: 0 }), true);
  assert.equal(composing({ isComposing: false, keyCode: 229 }), true);
  assert.equal(composing({ isComposing: false, keyCode: 49 }), false);
});
