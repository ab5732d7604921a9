import assert from "node:assert/strict";
import { test } from "node:test";

import {
  addressesOf, fieldsToKeep, noticeOf, reasonOf,
} from "../../../assets/web/shell/kept-fields.js";

const typed = (address, before, now, group = "") =>
  ({ address, name: `Name of ${address}`, group, before, now });
const none = () => [];

test("fields of one place are told apart by their order", () => {
  assert.deepEqual(addressesOf(["a", "b", "a"]), ["a|1", "b|1", "a|2"]);
});

test("what was changed is kept, what is as it was or empty is not", () => {
  const fields = [typed("a", "old", "new"), typed("b", "same", "same"), typed("c", "old", "")];
  assert.deepEqual(fieldsToKeep([], fields, none),
    [{ address: "a", value: "new", name: "Name of a" }]);
});

test("a switch that was turned off is kept", () => {
  assert.deepEqual(fieldsToKeep([], [typed("a", true, false)], none).map(({ value }) => value), [false]);
});

test("what stands in no field since the last reload is kept again", () => {
  const waiting = [{ address: "x", value: "text", name: "X", checks: 2 }];
  assert.deepEqual(fieldsToKeep(waiting, [], none), waiting);
});

test("fields that only make sense together are kept together", () => {
  const all = () => [
    typed("a", null, "new", "form"), typed("b", null, "as it was", "form"), typed("c", null, "other"),
  ];
  const kept = fieldsToKeep([], [typed("a", "old", "new", "form")], all);
  assert.deepEqual(kept, [
    { address: "a", value: "new", name: "Name of a", group: "form" },
    { address: "b", value: "as it was", name: "", group: "form" },
  ]);
});

test("the rest of the page is not read when none of a group was changed", () => {
  const unread = () => assert.fail("read");
  assert.equal(fieldsToKeep([], [typed("a", "old", "old", "form")], unread).length, 0);
});

test("a lost studio that is another one now was restarted", () => {
  const left = { owner: "ana", start: "1", why: "lost", fields: [] };
  assert.equal(reasonOf(left, "2"), "restart");
  assert.equal(reasonOf(left, "1"), "lost");
  assert.equal(reasonOf({ ...left, why: "out" }, "2"), "out");
});

test("the notice names six fields at most", () => {
  assert.equal(noticeOf("restart", []), "The studio was restarted, and this page was loaded again. ");
  assert.match(noticeOf("out", ["A", "B"]), /^You were logged out, .* fields again: A, B\. $/);
  assert.match(noticeOf("lost", [..."ABCDEFG"]), /: A, B, C, D, E, F …\. $/);
});
