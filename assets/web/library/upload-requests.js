// Requests by which files get to the studio.

import { announcement, requestsOf } from "./dropped-files.js";

/** @typedef {import("./dropped-files.js").Named} Named */

/**
 * What an upload holds.
 *
 * @typedef {object} Upload
 * @property {string} upload Its key.
 * @property {string} label
 * @property {number} files
 * @property {number} bytes
 * @property {string[]} names The first of them.
 */

/** A refusal of the studio, or no answer from it. */
export class UploadError extends Error {}

const LOST = "The connection to the studio was lost; none of these files was kept.";

/**
 * @param {string} path below studio/uploads
 * @param {RequestInit} options
 * @returns {Promise<any>}
 */
const ask = async (path, options) => {
  const address = new URL(`studio/uploads${path}`, document.baseURI);
  let reply;
  try {
    reply = await fetch(address, { ...options, headers: { "X-Studio": "1", ...options.headers } });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new UploadError(LOST);
  }
  if (reply.status === 204) return null;
  const told = await reply.json().catch(() => ({}));
  if (reply.ok) return told;
  const said = [told.message, told.remedy].filter(Boolean).join(" ");
  throw new UploadError(said || `The studio answered ${reply.status}.`);
};

/**
 * @param {string} path
 * @param {object} [json]
 * @param {AbortSignal} [signal]
 */
const post = (path, json, signal) => ask(path, {
  method: "POST",
  body: json ? JSON.stringify(json) : "",
  headers: json ? { "Content-Type": "application/json" } : {},
  signal,
});

/**
 * Sends files; they join the upload once all are there, and none of them does otherwise.
 *
 * @param {Named[]} files
 * @param {string} upload its key; empty for a new one
 * @param {AbortSignal} signal
 * @param {(bytes: number) => void} sent called with how much is there
 * @returns {Promise<Upload>}
 */
export const sendFiles = async (files, upload, signal, sent) => {
  const { key } = await post("", { ...announcement(files), upload }, signal);
  try {
    let bytes = 0;
    for (const request of requestsOf(files)) {
      const body = new Blob([`${JSON.stringify(request.pieces)}\n`, ...request.parts]);
      await ask(`/${key}/pieces`, { method: "POST", body, signal });
      bytes += request.bytes;
      sent(bytes);
    }
    return await post(`/${key}/finish`, undefined, signal);
  } catch (error) {
    dropUpload(key);
    throw error;
  }
};

/**
 * Deletes an upload, or what has come of one; what cannot be asked for now goes by itself.
 *
 * @param {string} key
 */
export const dropUpload = (key) => {
  post(`/${key}/drop`).catch(() => null);
};

/**
 * Asks what an upload holds; null when it has gone.
 *
 * @param {string} key
 * @returns {Promise<Upload | null>}
 */
export const findUpload = (key) => ask(`/${key}`, {}).catch(() => null);
