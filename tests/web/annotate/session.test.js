// What an answer, an undo and a refusal do to what the page knows of a pair.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Draft } from "../../../assets/web/annotate/drafts.js";
import { Outbox } from "../../../assets/web/annotate/outbox.js";
import { Queue } from "../../../assets/web/annotate/queue.js";
import { Session } from "../../../assets/web/annotate/session.js";
import { DETAIL_FIELDS } from "../../../assets/web/annotate/label-fields.js";
import { card, openBrowser, settled } from "./fakes.js";

const PROGRESS = {
  labelled: 4, total: 10, waiting: 6, today: 2, median_seconds: null, elsewhere: 0, day: "",
  since: "", twice: 0, pairs: 10,
};

let browser;
let session;
beforeEach(() => {
  browser = openBrowser();
  session = openSession();
});
afterEach(() => browser.close());

/** A session on a page without elements: what it would draw is noted. */
const openSession = () => {
  const made = Object.assign(Object.create(Session.prototype), {
    shown: null, held: null, draft: null, done: [], refused: [], progress: { ...PROGRESS },
    datasets: [], standing: {}, since: browser.clock.now, said: [], missed: (why) => made.said.push(why),
    parts: { work: { hidden: false }, notice: { hidden: true, scrollIntoView: () => null } },
    guard: { judged: () => made.seen, missed: (why) => made.said.push(why) },
    history: { review: null, stop: () => null },
    seen: true, refills: 0,
    notice: (...said) => made.said.push(said),
    show: (shown) => {
      made.shown = shown;
      made.draft = new Draft("anna", shown.pair_id, shown.current);
    },
    showNothing: () => (made.shown = null),
    showProgress: () => null,
    showStatus: () => null,
    refill: () => (made.refills += 1),
  });
  made.outbox = new Outbox(() => null, (entry, reply) => made.sent(entry, reply));
  made.outbox.setUser({ user: "anna", account: "" });
  made.queue = new Queue(made.outbox, {
    onCards: () => null, onReply: () => null, prefetch: () => null, idle: () => false,
    drafting: () => false,
  });
  return made;
};
const begin = (...cards) => {
  session.queue.waiting = cards;
  session.showNext();
};
const bodies = () => session.outbox.entries.map(({ path, body }) => [path, body.pair_id]);

test("an answer goes into the outbox with what was typed, and the next pair comes at once", async () => {
  begin(card(1), card(2));
  session.draft.values.comment = "blurred";
  session.draft.keep();
  browser.clock.now += 1234;
  session.answer("choose", "left", { strength: "clearly" });
  const [{ path, body }] = session.outbox.entries;
  assert.equal(path, "save");
  const { pair_id, showing, kind, winner, strength, expected_version, elapsed_ms, comment } = body;
  assert.deepEqual({ pair_id, showing, kind, winner, strength, expected_version, elapsed_ms, comment }, {
    pair_id: 1, showing: "showing-1", kind: "choose", winner: "left", strength: "clearly",
    expected_version: 10, elapsed_ms: 1234, comment: "blurred",
  });
  assert.equal(session.shown.pair_id, 2);
  assert.equal(session.progress.labelled, 5);
  assert.equal(browser.storage.getItem("studio-draft/anna/1"), null, "the outbox has it now");
});

test("a pair that was not looked at, or none, gets no answer", () => {
  begin(card(1));
  session.seen = false;
  session.answer("tie");
  session.seen = true;
  session.parts.work.hidden = true;
  session.answer("tie");
  session.parts.work.hidden = false;
  session.shown = null;
  session.answer("tie");
  assert.deepEqual(session.outbox.entries, []);
});

test("a day is the longest time of an answer", () => {
  begin(card(1));
  browser.clock.now += 90_000_000;
  session.answer("tie");
  assert.equal(session.outbox.entries[0].body.elapsed_ms, 86_400_000);
});

test("answering again, looked back at, counts no further answer and brings the held pair", () => {
  session.show(card(1, { current: { ...DETAIL_FIELDS, kind: "tie", winner: null, strength: "" } }));
  session.held = card(9);
  session.answer("both_good");
  assert.equal(session.progress.labelled, 4);
  assert.deepEqual([session.shown.pair_id, session.held], [9, null]);
});

test("undo brings the answer back as it was, with the version that it will have", async () => {
  begin(card(1), card(2));
  session.answer("tie");
  await session.undo();
  assert.deepEqual(bodies(), [["save", 1], ["undo", 1]]);
  assert.deepEqual([session.shown.pair_id, session.shown.version, session.shown.current], [1, 12, null]);
  assert.deepEqual(session.queue.waiting.map(({ pair_id }) => pair_id), [2], "the pair on show waits");
  assert.equal(session.progress.labelled, 4);
  session.answer("both_good");
  assert.equal(session.outbox.entries[2].body.expected_version, 12);
});

test("only answers of the dataset that is chosen are taken back", async () => {
  begin(card(1), card(2, { dataset: "photos" }));
  session.answer("tie");
  session.answer("tie");
  session.queue.dataset = "charts";
  await session.undo();
  assert.deepEqual(bodies().at(-1), ["undo", 1]);
  assert.deepEqual(session.done.map(({ pair_id }) => pair_id), [2]);
});

test("an answer from before this page is undone by the studio, once all is saved", async () => {
  begin(card(1));
  browser.studio.answer(200, { card: card(7, { version: 31 }), progress: { ...PROGRESS, labelled: 3 } });
  await session.undo();
  assert.equal(browser.studio.paths[0], "undo");
  assert.deepEqual([session.shown.pair_id, session.progress.labelled], [7, 3]);
  session.answer("tie");
  session.done.length = 0;
  await session.undo();
  assert.deepEqual(session.said.at(-1), ["Wait until all is saved."]);
});

test("a refused answer is a draft again, and the page leads to its pair", async () => {
  browser.studio.answer(409, { message: "Somebody was faster.", remedy: "Look again." });
  begin(card(1), card(2), card(3));
  session.draft.values.ideal = "A cat on a mat.";
  session.answer("tie");
  await settled();
  assert.equal(new Draft("anna", 1, null).values.ideal, "A cat on a mat.");
  assert.deepEqual(session.said, [["An answer was not saved. Somebody was faster. Look again.",
    [["notice-look", "Look at that pair"]], "bad"]]);
  assert.deepEqual([session.refused, session.done], [[1], []]);
  assert.equal(session.queue.versions.has(1), false, "the studio knows better");
  assert.equal(session.shown.pair_id, 2, "work goes on meanwhile");
});

test("several refusals are counted, each pair once", async () => {
  browser.studio.answer(409, { message: "No." });
  browser.studio.answer(409, { message: "No." });
  begin(card(1), card(2), card(3));
  session.answer("tie");
  session.answer("tie");
  await settled();
  assert.match(session.said.at(-1)[0], /^2 answers were not saved\./);
  assert.deepEqual(session.refused, [1, 2]);
  session.refuse({ path: "undo", body: { pair_id: 1 } }, { message: "No." });
  assert.deepEqual(session.refused, [2, 1]);
});

test("an answer that is refused after it was taken back: neither happened", async () => {
  const refuse = browser.studio.answerLater(409, { message: "Somebody was faster." });
  begin(card(1), card(2));
  session.answer("tie");
  await session.undo();
  assert.equal(session.shown.version, 12);
  await refuse();
  assert.deepEqual([session.outbox.entries, session.said, session.refused], [[], [], []]);
  assert.equal(session.shown.version, 10, "the pair is as it was before both");
  session.answer("both_good");
  assert.equal(session.outbox.entries[0].body.expected_version, 10);
});

test("a pair that is newer after an undo than was thought moves what waits for it along", async () => {
  browser.studio.answer(200, { saved: { version: 11 }, next: null });
  const undone = browser.studio.answerLater(200, { card: card(1, { version: 14 }), progress: PROGRESS });
  begin(card(1), card(2));
  session.answer("tie");
  await session.undo();
  session.answer("both_good");
  await settled();
  assert.equal(session.outbox.entries.at(-1).body.expected_version, 12);
  await undone();
  const last = browser.studio.asked.at(-1).body;
  assert.deepEqual([last.kind, last.expected_version], ["both_good", 14]);
});

test("an undo after which something else stands than was thought moves nothing", async () => {
  const other = { kind: "choose", winner: "left" };
  browser.studio.answer(200, { saved: { version: 11 }, next: null });
  const newer = card(1, { version: 14, current: other });
  const undone = browser.studio.answerLater(200, { card: newer, progress: PROGRESS });
  begin(card(1), card(2));
  session.answer("tie");
  await session.undo();
  session.answer("both_good");
  await settled();
  await undone();
  const { expected_version } = browser.studio.asked.at(-1).body;
  assert.equal(expected_version, 12, "the studio refuses it, and the person looks again");
});

test("feedback of a gold pair is said, and the pairs that come along wait", async () => {
  const next = { user: "anna", lead: false, cards: [card(5)], progress: null, stamp: 8, standing: {} };
  browser.studio.answer(200, { saved: { version: 11, feedback: "Look at the axis." }, next });
  begin(card(1), card(2));
  session.answer("tie");
  await settled();
  assert.deepEqual(session.said, [["Look at the axis."]]);
  assert.deepEqual(session.queue.waiting.map(({ pair_id }) => pair_id), [5]);
});

test("counts that come while answers wait are not shown", () => {
  session.root = { classList: { toggle: () => null } };
  session.parts.exporting = {};
  const reply = { lead: false, standing: {}, progress: { ...PROGRESS, labelled: 1 } };
  begin(card(1));
  session.answer("tie");
  session.heard(reply);
  assert.equal(session.progress.labelled, 5);
  session.outbox.entries = [];
  session.heard(reply);
  assert.equal(session.progress.labelled, 1);
});
