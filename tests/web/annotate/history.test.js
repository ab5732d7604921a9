// Looking back: through answers that stand, newest first, and on again to the pair one was at.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { History, MOST } from "../../../assets/web/annotate/history.js";
import { card, openBrowser, settled } from "./fakes.js";

const ANSWERED = { kind: "tie", winner: null };
let browser;
let page;
let history;
beforeEach(() => {
  browser = openBrowser();
  page = {
    shown: card(9), held: null, said: [], notices: [], waits: [], nexts: 0, closed: 0,
    outbox: { holds: (pair) => page.waits.includes(pair) },
    show: (shown) => (page.shown = shown),
    showNext: () => (page.nexts += 1),
    notice: (text) => page.notices.push(text),
    closeNotice: () => (page.closed += 1),
    say: (words) => page.said.push(words),
  };
  history = new History(page);
});
afterEach(() => browser.close());

const entries = (...pairs) => ({
  entries: pairs.map((pair) => ({ label_id: 100 + pair, pair_id: pair, current: true })),
});
const past = (pair) => card(pair, { current: ANSWERED });
const shown = () => page.shown.pair_id;

test("back shows the latest answer, then those before it; forward comes to the pair one was at", async () => {
  browser.studio.answer(200, entries(3, 2));
  browser.studio.answer(200, past(3));
  await history.step(1);
  assert.deepEqual([shown(), page.held.pair_id, history.away], [3, 9, true]);
  browser.studio.answer(200, past(2));
  await history.step(1);
  assert.equal(shown(), 2);
  browser.studio.answer(200, past(3));
  await history.step(-1);
  assert.equal(shown(), 3);
  await history.step(-1);
  assert.deepEqual([shown(), page.held, history.away, history.review], [9, null, false, null]);
  assert.deepEqual(browser.studio.paths,
    [`history?limit=${MOST}`, "card/3", "card/2", "card/3"]);
});

test("the pair that was on show is held, not the answers looked at on the way", async () => {
  browser.studio.answer(200, entries(3, 2));
  browser.studio.answer(200, past(3));
  browser.studio.answer(200, past(2));
  await history.step(1);
  await history.step(1);
  assert.equal(page.held.pair_id, 9);
});

test("answers that were undone or replaced are left out", async () => {
  const replaced = entries(3, 2);
  replaced.entries[0].current = false;
  browser.studio.answer(200, replaced);
  browser.studio.answer(200, past(2));
  await history.step(1);
  assert.equal(browser.studio.paths[1], "card/2");
});

test("a pair without an answer that is looked at does not take the place of the one held", async () => {
  browser.studio.answer(200, card(3));
  browser.studio.answer(200, past(4));
  await history.at(3);
  await history.at(4);
  assert.deepEqual([shown(), page.held.pair_id], [4, 9]);
});

test("an answer that is on show already, not looked back at, is not held as work", async () => {
  page.shown = past(4);
  browser.studio.answer(200, past(3));
  await history.at(3);
  assert.deepEqual([shown(), page.held], [3, null]);
});

test("before the first answer there is nothing, and it is said", async () => {
  browser.studio.answer(200, entries(3));
  browser.studio.answer(200, past(3));
  await history.step(1);
  await history.step(1);
  assert.deepEqual(page.said, ["There is nothing further back"]);
  assert.equal(shown(), 3);
});

test("without looking back there is nothing further on", async () => {
  await history.step(-1);
  assert.deepEqual([page.said, browser.studio.asked], [["There is nothing further on"], []]);
});

test("further answers are asked for where the listing ended", async () => {
  const first = Array.from({ length: MOST }, (_, index) => 1000 - index);
  browser.studio.answer(200, entries(...first));
  browser.studio.answer(200, past(1000));
  await history.step(1);
  history.review.at = MOST - 1;
  browser.studio.answer(200, entries(5));
  browser.studio.answer(200, past(5));
  await history.step(1);
  assert.equal(browser.studio.paths[2], `history?limit=${MOST}&before=${100 + first.at(-1)}`);
  assert.equal(shown(), 5);
  await history.step(1);
  assert.deepEqual(page.said, ["There is nothing further back"], "a short listing is the last");
});

test("a step while answers are being read does not count, and says so", async () => {
  const answer = browser.studio.answerLater(200, entries(3));
  browser.studio.answer(200, past(3));
  const step = history.step(1);
  await settled();
  await history.step(1);
  assert.deepEqual(page.said, ["Not counted: your answers are being read"]);
  await answer();
  await step;
  assert.equal(shown(), 3);
});

test("a listing that cannot be read leaves the pair where it is, and can be asked for again", async () => {
  await history.step(1);
  assert.deepEqual([page.notices, shown(), history.review], [["Your answers cannot be read just now."], 9, null]);
  browser.studio.answer(200, entries(3));
  browser.studio.answer(200, past(3));
  await history.step(1);
  assert.equal(shown(), 3);
});

test("a pair whose answer is on its way is not shown as the server has it", async () => {
  page.waits.push(3);
  await history.at(3);
  assert.deepEqual([page.notices, browser.studio.asked, shown()], [["Wait until all is saved."], [], 9]);
});

test("a pair that cannot be read is said, and nothing is held for it", async () => {
  browser.studio.answer(404, { message: "No such pair." });
  await history.at(3);
  assert.deepEqual([page.notices, shown(), page.held, history.away],
    [["That pair cannot be read just now."], 9, null, false]);
});

test("back to work without a pair that was held asks for the next one", () => {
  page.shown = past(3);
  history.backToWork();
  assert.deepEqual([page.shown, page.nexts], [null, 1]);
});
