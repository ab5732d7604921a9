// Answers on their way: none is lost, doubled, sent out of order or in another's name.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Outbox, pending } from "../../../assets/web/annotate/outbox.js";
import { openBrowser, settled } from "./fakes.js";

const ANNA = { user: "anna", account: "" };
const answer = (pair, more = {}) => ({
  pair_id: pair, showing: `showing-${pair}`, kind: "tie", winner: null, expected_version: 10,
  elapsed_ms: 900, guideline: 0, next: { dataset: null, count: 3, progress: false },
  comment: "", ideal: "", flagged: false, aspects: {}, spans: [], ...more,
});
const undo = (pair) => ({ pair_id: pair, showing: `showing-${pair}`, dataset: null });

let browser;
let left;
beforeEach(() => {
  browser = openBrowser();
  left = [];
});
afterEach(() => browser.close());

const openBox = (own = ANNA) => {
  const box = new Outbox(() => null, (entry, reply) => left.push([entry, reply]));
  box.setUser(own);
  return box;
};
const kept = () => Object.keys(browser.storage).filter((name) => name.startsWith("studio-outbox/"));

test("an answer is kept before it is sent, and until the studio has committed it", async () => {
  const commit = browser.studio.answerLater(200, { saved: { version: 11 } });
  const box = openBox();
  box.addSave(answer(1, { comment: "blurred" }));
  assert.equal(kept().length, 1);
  assert.equal(JSON.parse(browser.storage[kept()[0]]).body.comment, "blurred");
  await settled();
  assert.equal(kept().length, 1, "it has left the page and nobody has answered");
  await commit();
  assert.deepEqual(kept(), []);
  assert.deepEqual(box.entries, []);
  assert.equal(left[0][1].json.saved.version, 11);
});

test("answers go one at a time, in the order they were given", async () => {
  const first = browser.studio.answerLater(200);
  browser.studio.answer(200);
  browser.studio.answer(200);
  const box = openBox();
  box.addSave(answer(1));
  box.addUndo(undo(1), { version: 12 });
  box.addSave(answer(2));
  await settled();
  assert.deepEqual(browser.studio.paths, ["save"], "the second waits for the first");
  await first();
  assert.deepEqual(browser.studio.paths, ["save", "undo", "save"]);
  assert.deepEqual(left.map(([entry]) => entry.body.pair_id), [1, 1, 2]);
});

test("names keep the order of the answers, also when the clock is set back", () => {
  const box = openBox();
  box.addSave(answer(1));
  browser.clock.now -= 3_600_000;
  box.addSave(answer(2));
  box.addSave(answer(3));
  const pairs = kept().sort().map((name) => JSON.parse(browser.storage[name]).body.pair_id);
  assert.deepEqual(pairs, [1, 2, 3]);
});

test("names keep their order over a reload with the clock set back", async () => {
  openBox().addSave(answer(1));
  browser.clock.now -= 3_600_000;
  openBox().addSave(answer(2));
  const pairs = kept().sort().map((name) => JSON.parse(browser.storage[name]).body.pair_id);
  assert.deepEqual(pairs, [1, 2]);
});

test("a lost connection is tried again with the same key, and ever more rarely", async () => {
  const box = openBox();
  box.addSave(answer(1));
  await settled();
  assert.equal(box.problem, "no connection");
  const counts = [];
  for (const ms of [999, 1, 1999, 1, 3999, 1, 7999, 1, 14999, 1, 14999, 1]) {
    await browser.clock.pass(ms);
    counts.push(browser.studio.asked.length);
  }
  assert.deepEqual(counts, [1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7]);
  assert.equal(new Set(browser.studio.asked.map(({ body }) => body.key)).size, 1);
  browser.studio.answer(200);
  browser.listeners.online();
  await settled();
  assert.deepEqual([box.entries, box.problem, box.tries], [[], "", 0]);
});

test("a page that is back online while an answer is under way sends it once", async () => {
  const commit = browser.studio.answerLater(200);
  openBox().addSave(answer(1));
  browser.listeners.online();
  await settled();
  browser.listeners.online();
  await commit();
  await browser.clock.pass(60_000);
  assert.equal(browser.studio.asked.length, 1);
});

for (const [status, what] of [
  [500, "an error of the studio"], [503, "a studio that starts"], [401, "a logout"],
  [403, "a page of another origin"], [408, "a slow line"], [429, "a hasty hand"],
]) {
  test(`${what} (${status}) says nothing against the answer: it stays`, async () => {
    browser.studio.answer(status, { message: "Later." });
    const box = openBox();
    box.addSave(answer(1));
    await settled();
    assert.equal(box.problem, "Later.");
    assert.equal(box.loggedOut, status === 401);
    assert.deepEqual([box.entries.length, kept().length, left], [1, 1, []]);
  });
}

test("a conflict ends an answer and tells the page; the next one goes on", async () => {
  browser.studio.answer(409, { message: "Somebody answered.", field: "expected_version" });
  browser.studio.answer(200);
  const box = openBox();
  box.addSave(answer(1, { ideal: "A cat on a mat." }));
  box.addSave(answer(2));
  await settled();
  assert.deepEqual(left.map(([entry, reply]) => [entry.body.pair_id, reply.status]), [[1, 409], [2, 200]]);
  assert.equal(left[0][0].body.ideal, "A cat on a mat.", "the page gets back what was typed");
  assert.deepEqual(kept(), []);
});

test("a conflict about who is logged in keeps the answer for the one who gave it", async () => {
  browser.studio.answer(409, { message: "ben is logged in.", field: "user" });
  const box = openBox();
  box.addSave(answer(1));
  await settled();
  assert.deepEqual([box.entries.length, kept().length, left], [1, 1, []]);
  assert.equal(browser.studio.asked[0].user, "anna");
});

test("answers are sent in the name of whoever gave them alone", async () => {
  const box = openBox();
  box.addSave(answer(1));
  await settled();
  browser.close();
  const { storage } = browser;
  browser = openBrowser();
  Object.assign(browser.storage, storage);
  const others = openBox({ user: "ben", account: "" });
  await settled();
  assert.deepEqual([others.entries, browser.studio.asked], [[], []]);
  assert.equal(pending({ user: "anna", account: "" }), 1);
  assert.equal(pending({ user: "ben", account: "" }), 0);
  assert.equal(pending(null), 0);
});

test("an account made again under the same name gets nothing of the earlier one", async () => {
  openBox({ user: "anna", account: "1" }).addSave(answer(1));
  openBox(ANNA).addSave(answer(2));
  await settled();
  const again = openBox({ user: "anna", account: "2" });
  assert.deepEqual(again.entries, []);
  assert.equal(again.earlier().length, 2);
  assert.equal(pending({ user: "anna", account: "2" }), 0);
  again.addSave(answer(3));
  assert.equal(again.earlier().length, 2, "its own are no earlier ones");
});

test("who has no account gets nothing of an account of the same name", async () => {
  openBox({ user: "anna", account: "1" }).addSave(answer(1));
  await settled();
  assert.deepEqual(openBox(ANNA).entries, []);
  assert.equal(pending(ANNA), 0);
});

test("what was given on a page that was closed is sent by the next one, oldest first", async () => {
  const box = openBox();
  box.addSave(answer(1));
  box.addSave(answer(2));
  await settled();
  const asked = browser.studio.asked.length;
  browser.studio.answer(200);
  browser.studio.answer(200);
  openBox();
  await settled();
  assert.deepEqual(browser.studio.asked.slice(asked).map(({ body }) => body.pair_id), [1, 2]);
  assert.deepEqual(kept(), []);
});

test("an answer of an older version, which had its user in its name only, is sent", async () => {
  browser.storage.setItem("studio-outbox/anna/000000000000001-abcdefgh",
    JSON.stringify({ path: "save", body: { key: "abcdefgh", pair_id: 4, winner_id: 7 } }));
  browser.studio.answer(200);
  openBox();
  await settled();
  assert.deepEqual(browser.studio.asked[0].body, { key: "abcdefgh", pair_id: 4, winner_id: 7 });
  assert.equal(browser.studio.asked[0].user, "anna");
});

test("what is torn or not ours stays where it is", async () => {
  browser.storage.setItem("studio-outbox/anna/1-torn", "{\"path\": \"sa");
  browser.storage.setItem("studio-outbox/anna/2-others", JSON.stringify({ user: "ben", body: {} }));
  const box = openBox();
  await settled();
  assert.deepEqual([box.entries, browser.studio.asked, kept().length], [[], [], 2]);
});

test("a full browser keeps nothing: the answer goes out, and the tab is held open", async () => {
  browser.storage.fill();
  browser.studio.answerLater(200);
  const box = openBox();
  box.addSave(answer(1));
  await settled();
  assert.equal(browser.studio.paths[0], "save");
  assert.match(box.problem, /leave the tab open/);
  let held = false;
  browser.listeners.beforeunload({ preventDefault: () => (held = true) });
  assert.ok(held);
});

test("a tab is not held open for answers that the browser keeps", async () => {
  openBox().addSave(answer(1));
  await settled();
  let held = false;
  browser.listeners.beforeunload({ preventDefault: () => (held = true) });
  assert.equal(held, false);
});

test("an answer that was refused and taken back already is withdrawn with its undo", async () => {
  const box = openBox();
  box.addUndo(undo(1), { version: 12 });
  box.addSave(answer(2));
  await settled();
  assert.equal(box.withdraw(2), false, "an answer is not taken back by itself");
  assert.equal(box.withdraw(3), false);
  assert.equal(box.withdraw(1), true);
  assert.deepEqual(box.entries.map(({ body }) => body.pair_id), [2]);
  assert.equal(kept().length, 1);
});

test("what waits for a pair moves along when the pair is newer than was thought", async () => {
  const box = openBox();
  box.addSave(answer(1));
  box.addUndo(undo(1), { version: 12, kind: "tie" });
  box.addSave(answer(2));
  await settled();
  box.shift(1, 2);
  const now = kept().sort().map((name) => JSON.parse(browser.storage[name]));
  assert.equal(now[0].body.expected_version, 12);
  assert.equal(now[1].expects.version, 14);
  assert.equal(now[2].body.expected_version, 10, "another pair stays");
});

test("what an undo expects is kept and not sent", async () => {
  browser.studio.answerLater(200);
  openBox().addUndo(undo(1), { version: 12 });
  await settled();
  assert.deepEqual(Object.keys(browser.studio.asked[0].body).sort(), ["dataset", "key", "pair_id", "showing"]);
  assert.equal(JSON.parse(browser.storage[kept()[0]]).expects.version, 12);
});

test("nothing is given before the studio has said who this is", () => {
  const box = new Outbox(() => null, () => null);
  assert.throws(() => box.addSave(answer(1)), /nobody's/);
  assert.deepEqual(kept(), []);
});
