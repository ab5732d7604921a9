// Requests of the annotating pages to the studio, one function for each route.
import { USER } from "../shared/connection.js";
import { deadline } from "../shared/request-timeout.js";

const TIMEOUT_MS = 15000;
/** @typedef {import("./label-fields.js").Card} Card */
/** @typedef {import("./label-fields.js").Refusal} Refusal */
/**
 * @template Json
 * @typedef {import("./label-fields.js").Reply<Json>} Reply
 */

// crypto.randomUUID is missing on plain http addresses of a local network.
/** Makes the key by which the server knows an answer that is sent twice. */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0")).join("");

/**
 * Sends a request; a body makes it a change. Rejects when there is no connection, or no answer
 * within 15 seconds.
 *
 * @template Json
 * @param {string} path below studio/annotate/
 * @param {object} [body]
 * @param {RequestInit} [more]
 * @param {string | null} [user] in whose name; the server refuses it when another is logged in
 * @returns {Promise<Reply<Json>>}
 */
export const request = async (path, body, more = {}, user = null) => {
  /** @type {Record<string, string>} */
  const headers = { "X-Studio": "1" };
  /** @type {RequestInit} */
  const options = { headers, signal: deadline(TIMEOUT_MS), ...more };
  if (user !== null) headers[USER] = encodeURIComponent(user);
  if (body) {
    options.method = "POST";
    options.body = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  const reply = await fetch(new URL(path, new URL("studio/annotate/", document.baseURI)), options);
  const json = await reply.json().catch(() => ({}));
  return { status: reply.status, ok: reply.ok, json };
};

/**
 * The reply, or null when none came: for requests that change nothing here when they fail.
 *
 * @template Json
 * @param {Promise<Reply<Json>>} asked
 * @returns {Promise<Reply<Json> | null>}
 */
const orNull = (asked) => asked.catch(() => null);

/**
 * @param {import("./label-fields.js").NextBody} wanted
 * @returns {Promise<Reply<import("./label-fields.js").NextReply> | null>}
 */
export const requestNext = (wanted) => orNull(request("next", wanted));

/** @returns {Promise<Reply<{}> | null>} */
export const sendHeartbeat = () => orNull(request("heartbeat", {}));

/**
 * Gives up the pairs that are held; goes out even while the page closes.
 *
 * @param {number} stamp that of the last reply this page got
 * @returns {Promise<Reply<{}> | null>}
 */
export const sendLeave = (stamp) => orNull(request("leave", { stamp }, { keepalive: true }));

/**
 * Undoes the latest answer that the server knows of, in the dataset that is chosen.
 *
 * @param {string | null} dataset
 * @returns {Promise<Reply<import("./label-fields.js").UndoReply> | null>}
 */
export const undoLatest = (dataset) => orNull(request("undo", { key: newKey(), dataset }));

/** @returns {Promise<Reply<import("./label-fields.js").DatasetView[]> | null>} */
export const requestDatasets = () => orNull(request("datasets"));

/**
 * @param {number} limit
 * @param {number | null} before the label before which the listing begins
 * @returns {Promise<Reply<{entries: import("./label-fields.js").HistoryEntry[]}> | null>}
 */
export const requestHistory = (limit, before) =>
  orNull(request(`history?limit=${limit}${before === null ? "" : `&before=${before}`}`));

/**
 * @param {number} pair
 * @returns {Promise<Reply<Card> | null>}
 */
export const requestCard = (pair) => orNull(request(`card/${pair}`));

/**
 * @param {string} dataset
 * @returns {Promise<Reply<import("./label-fields.js").GuidelineView> | null>}
 */
export const requestGuidelines = (dataset) =>
  orNull(request(`guidelines?dataset=${encodeURIComponent(dataset)}`));

/**
 * Makes a pair gold by this lead's own answer, or no longer.
 *
 * @param {number} pair_id
 * @param {number} version the one that a refusal told of; 0 without
 * @returns {Promise<Reply<import("./label-fields.js").GoldReply> | null>}
 */
export const toggleGold = (pair_id, version) => orNull(request("gold", { pair_id, version }));

/**
 * Asks for a case to decide, or changes one.
 *
 * @param {string} path below studio/team/
 * @param {object} [body]
 * @returns {Promise<Reply<import("./label-fields.js").CaseReply> | null>}
 */
export const requestCase = (path, body) => orNull(request(`../team/${path}`, body));
