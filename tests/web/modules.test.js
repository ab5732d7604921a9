// All modules are there and used: what imports name exists, and main.js reaches every file.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const WEB = new URL("../../assets/web/", import.meta.url);

const files = readdirSync(WEB, { withFileTypes: true }).flatMap((entry) => {
  const names = entry.isDirectory() ? readdirSync(new URL(`${entry.name}/`, WEB)) : [entry.name];
  return names.filter((name) => name.endsWith(".js"))
    .map((name) => (entry.isDirectory() ? `${entry.name}/${name}` : name));
});
const textOf = (file) => readFileSync(new URL(file, WEB), "utf8");
const importsOf = (file) =>
  [...textOf(file).matchAll(/^import\s(?:[\w*{}\s,]+\sfrom\s)?["']([^"']+)["'];/gm)].map(([, named]) =>
    new URL(named, new URL(file, WEB)).href.slice(WEB.href.length));

test("main.js reaches every module, and no import is of anything else", () => {
  const reached = new Set(["main.js"]);
  for (const file of reached) for (const other of importsOf(file)) reached.add(other);
  assert.deepEqual([...reached].sort(), files.sort());
  assert.ok(files.length > 40);
});

test("no module does anything before it is called, but for main.js", async () => {
  // Node has no page: whatever touches one while it is imported fails here.
  for (const file of files.filter((name) => name !== "main.js")) await import(new URL(file, WEB));
});

test("one name is on the window, and only the bridge puts it there", () => {
  const assigns = files.filter((file) => /Object\.assign\(window|window\.\w+ = /.test(textOf(file)));
  assert.deepEqual(assigns.sort(), ["shared/connection.js", "shared/gradio-bridge.js"]);
  // The connection takes the page's requests over.
  assert.deepEqual(textOf("shared/connection.js").match(/window\.\w+ = /g), ["window.fetch = "]);
});

test("text is never read as HTML", () => {
  const risky = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/;
  assert.deepEqual(files.filter((file) => risky.test(textOf(file))), []);
});
