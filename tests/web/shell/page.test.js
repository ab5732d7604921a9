// The bridge to Gradio, the pulse, the address of tabs, and the crosshair.

import assert from "node:assert/strict";
import { test } from "node:test";

import { nearest, stepAt, written } from "../../../assets/web/shared/curve-crosshair.js";
import { openBridge } from "../../../assets/web/shared/gradio-bridge.js";
import { isOutdated } from "../../../assets/web/shell/change-pulse.js";
import { addressWith, tabOf } from "../../../assets/web/shell/open-tab.js";

test("Gradio reaches what is listed, with all that it hands over", () => {
  globalThis.window = {};
  const attached = [];
  openBridge({ list: (component) => attached.push(component) }, { add: (a, b) => a + b });
  const component = { element: {}, trigger: () => null, props: {}, watch: () => null };
  window.studio.attach("list", component);
  assert.equal(attached[0], component);
  assert.equal(window.studio.run("add", 1, 2), 3);
  assert.throws(() => window.studio.run("toString"), /lists no toString/);
  assert.throws(() => window.studio.attach("other", component), /lists no other/);
  delete globalThis.window;
});

test("a part looks again when its word is another one", () => {
  assert.ok(isOutdated("a", "b", false));
  assert.ok(!isOutdated("b", "b", true));
});

test("a part that shows nothing yet lets one beat pass", () => {
  assert.ok(!isOutdated(undefined, "b", false));
  assert.ok(isOutdated(undefined, "b", true));
});

test("the address names every tab but the first", () => {
  assert.equal(addressWith("http://studio.test/?row=7", "runs"), "http://studio.test/?row=7&tab=runs");
  assert.equal(addressWith("http://studio.test/?tab=runs&row=7", null), "http://studio.test/?row=7");
  assert.equal(tabOf("http://studio.test/?tab=chat"), "chat");
  assert.equal(tabOf("http://studio.test/"), null);
});

test("the crosshair snaps to the nearest step, and stays on the chart", () => {
  const lines = [{ label: "loss", points: [[0, 3], [10, 2], [40, 1]] }];
  assert.deepEqual(stepAt(lines, 0, 40, 0.3), { step: 10, at: 0.25 });
  assert.deepEqual(stepAt(lines, 0, 40, 1.7), { step: 40, at: 1 });
  assert.deepEqual(stepAt(lines, 0, 40, -1), { step: 0, at: 0 });
  assert.deepEqual(stepAt([{ label: "one", points: [[5, 1]] }], 5, 5, 0.5), { step: 5, at: 0 });
  assert.deepEqual(nearest(lines[0].points, 26), [40, 1]);
});

test("values are written in a few digits", () => {
  assert.equal(written(0.123456, false), "0.1235");
  assert.equal(written(0, false), "0");
  assert.equal(written(0.00002, false), "2.00e-5");
  assert.equal(written(123456, false), "1.23e+5");
  assert.equal(written(0.98765, true), "98.8 %");
});
