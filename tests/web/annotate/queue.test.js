// Pairs fetched ahead: none comes twice, and those of a forgotten tab come free.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Queue } from "../../../assets/web/annotate/queue.js";
import { card, openBrowser, settled } from "./fakes.js";

let browser;
let box;
let page;
beforeEach(() => {
  browser = openBrowser();
  box = {
    entries: [], problem: "", loggedOut: false,
    holds: (pair) => box.entries.some(({ body }) => body.pair_id === pair),
  };
  page = { heard: [], fetched: [], cards: 0, isIdle: false, isDrafting: false };
});
afterEach(() => browser.close());

const openQueue = () => new Queue(box, {
  onCards: () => (page.cards += 1),
  onReply: (reply) => page.heard.push(reply),
  prefetch: (images) => page.fetched.push(images),
  idle: () => page.isIdle,
  drafting: () => page.isDrafting,
});
const reply = (cards, more = {}) =>
  ({ user: "anna", lead: false, cards, progress: null, stamp: 7, standing: {}, ...more });
const waitsFor = (pair) => box.entries.push({ body: { pair_id: pair } });
const pairs = (queue) => queue.waiting.map(({ pair_id }) => pair_id);

test("three pairs are asked for, more while answers are on their way, five at most", () => {
  const queue = openQueue();
  const counts = [0, 1, 2, 3, 4].map((waiting) => {
    box.entries.length = 0;
    for (let pair = 0; pair < waiting; pair += 1) waitsFor(pair);
    return queue.wanted().count;
  });
  assert.deepEqual(counts, [3, 4, 5, 5, 5]);
});

test("counts are asked for once a minute, and not while answers wait", async () => {
  const queue = openQueue();
  assert.equal(queue.wanted().progress, true);
  waitsFor(1);
  assert.equal(queue.wanted().progress, false);
  box.entries.length = 0;
  queue.came(reply([card(1)], { progress: { labelled: 1 } }), null, null);
  assert.equal(queue.wanted().progress, false);
  await browser.clock.pass(60_001);
  assert.equal(queue.wanted().progress, true);
});

test("the pairs that come wait in order, with their images fetched", async () => {
  browser.studio.answer(200, reply([card(1), card(2, { images: ["a", "b"] })]));
  const queue = openQueue();
  await queue.refill(() => null);
  assert.deepEqual(pairs(queue), [1, 2]);
  assert.deepEqual(page.fetched, [["sha-1", "a", "b"]]);
  assert.equal(page.cards, 1);
  assert.deepEqual(browser.studio.asked[0].body, { dataset: null, count: 3, progress: true });
  assert.equal(queue.take().pair_id, 1);
  assert.equal(queue.isLow, true);
});

test("the pair on show, and one whose answer is on its way, do not come again", () => {
  const queue = openQueue();
  waitsFor(2);
  queue.came(reply([card(1), card(2), card(3)]), null, card(1));
  assert.deepEqual(pairs(queue), [3]);
});

test("a reply that left before our answer arrived brings no pair back", () => {
  const queue = openQueue();
  queue.grow(1, 11);
  queue.came(reply([card(1, { version: 10 }), card(2)]), null, null);
  assert.deepEqual(pairs(queue), [2]);
  queue.came(reply([card(1, { version: 11 })]), null, null);
  assert.deepEqual(pairs(queue), [1], "after an undo it is new again");
});

test("what is known of a pair's version never shrinks", () => {
  const queue = openQueue();
  queue.grow(1, 12);
  queue.grow(1, 11);
  assert.equal(queue.versions.get(1), 12);
});

test("a reply for a dataset that was left is dropped", async () => {
  const answer = browser.studio.answerLater(200, reply([card(1)]));
  const queue = openQueue();
  queue.refill(() => null);
  queue.dataset = "charts";
  await answer();
  assert.deepEqual([queue.waiting, page.heard, page.cards], [[], [], 0]);
});

test("the pair that is on show when the reply comes is left out, not the one before", async () => {
  let shown = card(1);
  const answer = browser.studio.answerLater(200, reply([card(1), card(2)]));
  const queue = openQueue();
  queue.refill(() => shown);
  shown = card(2);
  await answer();
  assert.deepEqual(pairs(queue), [1]);
});

test("a refusal is told as the outbox's problem; the next reply ends it", async () => {
  browser.studio.answer(401, { message: "You are logged out." });
  const queue = openQueue();
  await queue.refill(() => null);
  assert.deepEqual([box.problem, box.loggedOut], ["You are logged out.", true]);
  assert.deepEqual(page.heard, [null]);
  queue.came(reply([]), null, null);
  assert.deepEqual([box.problem, box.loggedOut], ["", false]);
});

test("the problem of an answer that waits is not ended by a reply about pairs", () => {
  const queue = openQueue();
  waitsFor(1);
  box.problem = "no connection";
  queue.came(reply([card(2)]), null, null);
  assert.equal(box.problem, "no connection");
});

test("without a connection the pairs that wait stay", async () => {
  const queue = openQueue();
  queue.waiting = [card(1)];
  await queue.refill(() => null);
  assert.deepEqual([pairs(queue), page.heard], [[1], []]);
});

test("a pair put back is first, once", () => {
  const queue = openQueue();
  queue.waiting = [card(1), card(2)];
  queue.putBack(card(2));
  assert.deepEqual(pairs(queue), [2, 1]);
  queue.drop(2);
  assert.deepEqual(pairs(queue), [1]);
});

test("whoever works keeps their pairs with a beat each minute; a forgotten tab sends none", async () => {
  const queue = openQueue();
  queue.loaded = browser.clock.now;
  await browser.clock.pass(300_000);
  assert.deepEqual(browser.studio.paths, Array(5).fill("heartbeat"));
  await browser.clock.pass(600_000);
  assert.equal(browser.studio.asked.length, 5);
  queue.touched = browser.clock.now;
  await browser.clock.pass(60_000);
  assert.equal(browser.studio.asked.length, 6);
});

test("a page that is hidden, idle or still empty sends no beat", async () => {
  const queue = openQueue();
  const beats = async () => {
    queue.touched = browser.clock.now;
    browser.studio.asked.length = 0;
    await browser.clock.pass(60_000);
    return browser.studio.asked.length;
  };
  assert.equal(await beats(), 0);
  queue.loaded = 1;
  browser.document.hidden = true;
  assert.equal(await beats(), 0);
  browser.document.hidden = false;
  page.isIdle = true;
  assert.equal(await beats(), 0);
  page.isIdle = false;
  assert.equal(await beats(), 1);
});

test("a page that closes gives its pairs up, even while it closes", async () => {
  const queue = openQueue();
  queue.came(reply([card(1)]), null, null);
  browser.listeners.pagehide();
  await settled();
  const { path, body, keepalive } = browser.studio.asked[0];
  assert.deepEqual([path, body, keepalive], ["leave", { stamp: 7 }, true]);
});

test("pairs are not given up with answers on their way, or with text", async () => {
  const queue = openQueue();
  browser.listeners.pagehide();
  queue.came(reply([card(1)]), null, null);
  waitsFor(1);
  browser.listeners.pagehide();
  box.entries.length = 0;
  page.isDrafting = true;
  browser.listeners.pagehide();
  await settled();
  assert.deepEqual(browser.studio.asked, []);
});

test("pairs are old after three minutes", async () => {
  const queue = openQueue();
  queue.came(reply([card(1)]), null, null);
  await browser.clock.pass(180_000);
  assert.equal(queue.isOld, false);
  await browser.clock.pass(1);
  assert.equal(queue.isOld, true);
});
