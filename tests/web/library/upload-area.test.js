import assert from "node:assert/strict";
import { test } from "node:test";

import { offerSource } from "../../../assets/web/library/upload-area.js";

/** @param {string} source @param {boolean} typed */
const offered = (source, typed) => JSON.stringify({ source, typed });

test("what is dropped takes the place of any source", () => {
  assert.equal(offerSource(offered("upload:a", true), "owner/name"), "upload:a");
});

test("what comes back after a reload leaves alone what was typed meanwhile", () => {
  assert.equal(offerSource(offered("upload:a", false), "owner/name"), "owner/name");
  assert.equal(offerSource(offered("upload:a", false), " "), "upload:a");
  assert.equal(offerSource(offered("upload:a", false), null), "upload:a");
});

test("what is removed leaves nothing but what was typed", () => {
  assert.equal(offerSource(offered("", false), "upload:a"), "");
  assert.equal(offerSource("", "owner/name"), "owner/name");
});
