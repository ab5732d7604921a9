import assert from "node:assert/strict";
import { test } from "node:test";

import {
  announcement, chosenFiles, droppedFiles, many, requestsOf, sizeOf,
} from "../../../assets/web/library/dropped-files.js";

const named = (name, size) => ({ name, file: new File(["x".repeat(size)], name) });

test("files of a folder keep their places, and hidden ones stay at home", () => {
  const inside = (path) => Object.assign(new File(["1"], path.split("/").at(-1)), { webkitRelativePath: path });
  const { taken, hidden } = chosenFiles([
    inside("charts/pairs.jsonl"), inside("charts/images/a.png"), inside("charts/.git/config"),
    inside("charts/.env"), inside("charts/Thumbs.db"), inside("charts/__MACOSX/x"), new File(["1"], "b.png"),
  ]);
  assert.deepEqual(taken.map(({ name }) => name), ["charts/pairs.jsonl", "charts/images/a.png", "b.png"]);
  assert.equal(hidden, 4);
});

const fileEntry = (fullPath) => ({
  isDirectory: false, fullPath, file: (take) => take(new File(["1"], fullPath)),
});
const folderEntry = (fullPath, ...batches) => ({
  isDirectory: true, fullPath,
  createReader: () => ({ readEntries: (take) => take(batches.shift() ?? []) }),
});

test("a dropped folder is read to its end, however many times it has to be asked", async () => {
  const folder = folderEntry("/charts", [fileEntry("/charts/a.png")],
    [folderEntry("/charts/deep", [fileEntry("/charts/deep/b.png")])]);
  const { taken } = await droppedFiles([folder, null, fileEntry("/pairs.jsonl")]);
  assert.deepEqual(taken.map(({ name }) => name).sort(),
    ["charts/a.png", "charts/deep/b.png", "pairs.jsonl"]);
});

test("small files share a request, and a large one is cut", () => {
  const files = [named("a", 3), named("empty", 0), named("b", 10), named("c", 2)];
  const requests = [...requestsOf(files, 6)];
  assert.deepEqual(requests.map(({ pieces }) => pieces), [
    [["a", 0, 3], ["empty", 0, 0], ["b", 0, 3]],
    [["b", 3, 6]],
    [["b", 9, 1], ["c", 0, 2]],
  ]);
  assert.deepEqual(requests.map(({ parts, bytes }) => [parts.reduce((n, { size }) => n + size, 0), bytes]),
    [[6, 6], [6, 6], [3, 3]]);
  assert.equal([...requestsOf(Array.from({ length: 401 }, (_, n) => named(`${n}`, 1)))].length, 3);
  assert.deepEqual(announcement(files), { files: 4, bytes: 15, largest: 10 });
});

test("numbers are written as people read them", () => {
  assert.equal(many(1, "file"), "1 file");
  assert.equal(many(1200, "file"), "1,200 files");
  assert.deepEqual([1, 3 << 20, 3 * 2 ** 30].map(sizeOf), ["1 KB", "3.0 MB", "3.0 GB"]);
});
