// The page's requests as they go out, with a window, a document and a studio made by hand.

import assert from "node:assert/strict";
import { before, beforeEach, test } from "node:test";

const ORIGIN = "http://studio.test";
const sent = [];
const news = [];
let reply;
let noticed;
let connection;

before(async () => {
  const page = new EventTarget();
  for (const name of ["user", "restart", "lost", "out"]) {
    page.addEventListener(`studio:${name}`, ({ detail }) => news.push([name, detail]));
  }
  globalThis.document = Object.assign(page, { hidden: false });
  globalThis.location = new URL(`${ORIGIN}/`);
  globalThis.PerformanceObserver = class {
    constructor(take) {
      noticed = (...names) => take({ getEntries: () => names.map((name) => ({ name })) });
    }

    observe() {}
  };
  globalThis.window = {
    fetch: async (input, init) => {
      sent.push({ address: String(input), headers: new Headers(init?.headers) });
      return reply;
    },
  };
  globalThis.setInterval = () => 0;
  const module = await import("../../../assets/web/shared/connection.js");
  connection = module.connection;
  module.openConnection();
});

beforeEach(() => {
  sent.length = news.length = 0;
  Object.assign(connection, { own: null, now: null, role: null, start: null });
  reply = new Response("", { headers: { "X-Studio-User": "ana", "X-Studio-Start": "a" } });
});

test("an answer of the studio says whose page this is, and later requests name them", async () => {
  await window.fetch("/studio/pulse");
  await window.fetch("/studio/annotate/next", { headers: { "X-Studio": "1" } });
  assert.equal(sent[0].headers.get("X-Studio-User"), null);
  assert.equal(sent[1].headers.get("X-Studio-User"), "ana");
  assert.equal(sent[1].headers.get("X-Studio"), "1");
  assert.deepEqual(news.map(([name, { own }]) => [name, own.user]), [["user", "ana"]]);
});

test("images say nothing of who is logged in", async () => {
  await window.fetch("/studio/images/abc");
  assert.equal(connection.own, null);
});

test("requests to other places carry nothing", async () => {
  await window.fetch("/studio/pulse");
  await window.fetch("https://elsewhere.test/studio/pulse");
  assert.deepEqual([...sent[1].headers], []);
});

test("a studio that was started again is told once for each answer of it", async () => {
  await window.fetch("/studio/pulse");
  reply = new Response("", { headers: { "X-Studio-Start": "b" } });
  await window.fetch("/config");
  assert.deepEqual(news.map(([name]) => name), ["user", "restart"]);
});

test("a refusal says that nobody is logged in", async () => {
  await window.fetch("/studio/pulse");
  reply = new Response("", { status: 401 });
  await window.fetch("/studio/pulse");
  assert.deepEqual(news.at(-1), ["out", { user: "ana", account: "" }]);
  assert.equal(connection.now, null);
});

test("Gradio's question whether the studio is back says that it was lost", async () => {
  await window.fetch("/gradio_api/app_id");
  assert.equal(news[0][0], "lost");
});

test("beats go on to the address of Gradio's heartbeat, in the page's name", async () => {
  await window.fetch("/studio/pulse");
  const address = `${ORIGIN}/gradio_api/heartbeat/abc-1`;
  noticed(`${ORIGIN}/theme.css`, address);
  document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(sent[1].address, address);
  assert.equal(sent[1].headers.get("X-Studio-User"), "ana");
  document.hidden = true;
  document.dispatchEvent(new Event("visibilitychange"));
  document.hidden = false;
  assert.equal(sent.length, 2);
});
