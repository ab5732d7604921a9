import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { PageConnection, ownerOf } from "../../../assets/web/shared/connection.js";

const EVENTS = "/gradio_api/queue/join";
const answer = (user, account = "", more = {}) =>
  new Headers({ "X-Studio-User": encodeURIComponent(user), "X-Studio-Account": account, ...more });

let page;
beforeEach(() => {
  page = new PageConnection();
});

test("an account made again under the same name is somebody else", () => {
  assert.equal(ownerOf({ user: "ana", account: "" }), "ana");
  assert.equal(ownerOf({ user: "ana", account: "2" }), "ana/2");
});

test("the first answer says whose page this is, a later one who is logged in", () => {
  assert.equal(page.owner, null);
  assert.deepEqual(page.hearUser(answer("ana", "7")).own, { user: "ana", account: "7" });
  const news = page.hearUser(answer("Ünal"));
  assert.deepEqual(news.now, { user: "Ünal", account: "" });
  assert.deepEqual(news.own, { user: "ana", account: "7" });
  assert.equal(page.owner, "ana/7");
  assert.equal(page.user, "ana");
});

test("the same person in the same role is no news, in another role they are", () => {
  page.hearUser(answer("ana", "", { "X-Studio-Role": "lead" }));
  assert.equal(page.hearUser(answer("ana", "", { "X-Studio-Role": "lead" })), null);
  const news = page.hearUser(answer("ana", "", { "X-Studio-Role": "annotator" }));
  assert.equal(news.role, "annotator");
});

test("an answer that names nobody changes nothing", () => {
  assert.equal(page.hearUser(new Headers()), null);
  assert.equal(page.own, null);
});

test("whoever logs in after a logout is news, also the same person", () => {
  page.hearUser(answer("ana"));
  page.forgetUser();
  assert.equal(page.hearUser(answer("ana")).now.user, "ana");
});

test("another start of the studio is a restart, the first one is not", () => {
  assert.equal(page.hearStart(new Headers({ "X-Studio-Start": "a" })), null);
  assert.equal(page.hearStart(new Headers({ "X-Studio-Start": "a" })), null);
  assert.equal(page.hearStart(new Headers()), null);
  assert.equal(page.hearStart(new Headers({ "X-Studio-Start": "b" })).start, "a");
  assert.equal(page.start, "a");
});

test("requests name whose page asks; events also the start that made it", () => {
  page.hearUser(answer("Ünal", "7"));
  page.hearStart(new Headers({ "X-Studio-Start": "a" }));
  const event = page.name(new Headers(), EVENTS);
  assert.equal(event.get("X-Studio-User"), "%C3%9Cnal");
  assert.equal(event.get("X-Studio-Account"), "7");
  assert.equal(event.get("X-Studio-Start"), "a");
  assert.equal(page.name(new Headers(), "/studio/pulse").get("X-Studio-Start"), null);
});

test("a request that names somebody itself keeps that name", () => {
  page.hearUser(answer("ana"));
  const headers = page.name(new Headers({ "X-Studio-User": "ben" }), "/studio/annotate/save");
  assert.equal(headers.get("X-Studio-User"), "ben");
});

test("before the studio has said whose page this is, requests name nobody", () => {
  assert.deepEqual([...page.name(new Headers(), EVENTS)], []);
});
