// Answers on their way to the server. Each has a key made once, lives in localStorage until the
// server has committed it, and is sent again after a lost connection: the key makes that harmless.
// Each belongs to whoever gave it: it is sent in that name alone, and waits while another is
// logged in.
import { ownerOf } from "../shared/connection.js";
import { newKey, request } from "./requests.js";

const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
/** Of a refusal that says nothing against the answer itself; it is sent again. */
const PASSING = [401, 403, 408, 429];

/** @typedef {import("../shared/page-events.js").Identity} Identity */
/** @typedef {import("./label-fields.js").SaveBody} SaveBody */
/** @typedef {import("./label-fields.js").UndoBody} UndoBody */
/** @typedef {{kind?: string, winner?: string | null, version: number}} Expected */
/** @typedef {{user: string, name: string, unkept?: boolean}} Kept */
/** @typedef {Kept & {path: "save", body: {key: string} & SaveBody, expects?: undefined}} SaveEntry */
/** @typedef {Kept & {path: "undo", body: {key: string} & UndoBody, expects?: Expected}} UndoEntry */
/** @typedef {SaveEntry | UndoEntry} Entry */
/** @typedef {Partial<import("./label-fields.js").SaveReply & import("./label-fields.js").UndoReply>} SentJson */
/** @typedef {import("./label-fields.js").Reply<SentJson>} SentReply */

/** @param {string} owner */
const prefixOf = (owner) => `studio-outbox/${owner}/`;

/**
 * Names of what `owner` has given and is not saved yet, oldest first. What lies deeper belongs to
 * an account: `anna/2` is not `anna`.
 *
 * @param {string} owner
 */
const namesOf = (owner) => {
  const prefix = prefixOf(owner);
  return Object.keys(localStorage)
    .filter((name) => name.startsWith(prefix) && !name.slice(prefix.length).includes("/"))
    .sort();
};

/** @param {{name: string}} entry */
const stampOf = ({ name }) => Number(name.slice(name.lastIndexOf("/") + 1).split("-")[0]) || 0;

/**
 * The entry that is kept under `name`, if it is one of `user`.
 *
 * @param {string} name
 * @param {string} user
 * @returns {Entry | null}
 */
const stored = (name, user) => {
  try {
    const entry = JSON.parse(localStorage.getItem(name) ?? "null");
    // One kept by an older version has its user in its name only.
    return entry?.body && (entry.user ?? user) === user ? { ...entry, user, name } : null;
  } catch {
    return null; // Not ours, or torn: it stays where it is.
  }
};

/**
 * Counts the answers of an account that wait in this browser; none of nobody.
 *
 * @param {Identity | null} own
 */
export const pending = (own) =>
  own ? namesOf(ownerOf(own)).filter((name) => stored(name, own.user)).length : 0;

export class Outbox {
  /**
   * @param {() => void} onState called after every change
   * @param {(entry: Entry, reply: SentReply) => void} onReply called when an entry has left the box
   */
  constructor(onState, onReply) {
    this.onState = onState;
    this.onReply = onReply;
    /** @type {string | null} */
    this.user = null;
    /** @type {string | null} */
    this.owner = null;
    /** @type {Entry[]} */
    this.entries = [];
    this.tries = 0;
    this.problem = "";
    this.loggedOut = false;
    this.sending = false;
    this.stamp = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    addEventListener("online", () => this.flush());
    // Only what the browser could not keep would be lost with the tab.
    addEventListener("beforeunload", (event) => {
      if (this.entries.some(({ unkept }) => unkept)) event.preventDefault();
    });
  }

  /**
   * Says whose answers these are, and finds those that wait.
   *
   * @param {Identity} own
   */
  setUser(own) {
    const owner = ownerOf(own);
    if (this.owner === owner) return;
    this.user = own.user;
    this.owner = owner;
    this.collect();
  }

  /** Whose the box is. Nothing is given before the studio has said who this is. */
  get named() {
    if (this.user === null || this.owner === null) throw new Error("The outbox is nobody's yet.");
    return { user: this.user, owner: this.owner };
  }

  /** Names of what an earlier account of the same name left here: it is never sent. */
  earlier() {
    const { user, owner } = this.named;
    const own = new Set(namesOf(owner));
    return Object.keys(localStorage)
      .filter((name) => name.startsWith(prefixOf(user)) && !own.has(name))
      .filter((name) => stored(name, user));
  }

  /**
   * Takes in what this user gave on pages that were closed, or that another page is sending too:
   * the server counts each key once.
   */
  collect() {
    const { user, owner } = this.named;
    const known = new Set(this.entries.map(({ name }) => name));
    const waiting = namesOf(owner).filter((name) => !known.has(name))
      .flatMap((name) => stored(name, user) ?? []);
    if (!waiting.length) return;
    // An undo must not overtake the answer it undoes, whichever page gave it.
    this.entries = [...this.entries, ...waiting].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.flush();
  }

  /** @param {SaveBody} body */
  addSave(body) {
    const { key, ...kept } = this.identity();
    this.add({ ...kept, path: "save", body: { key, ...body } });
  }

  /**
   * @param {UndoBody} body
   * @param {Expected} expects the answer that is thought to stand then; kept and not sent
   */
  addUndo(body, expects) {
    const { key, ...kept } = this.identity();
    this.add({ ...kept, path: "undo", body: { key, ...body }, expects });
  }

  // The names are in the order of the answers, also when the clock is set back.
  identity() {
    const { user, owner } = this.named;
    const key = newKey();
    this.stamp = Math.max(Date.now(), this.stamp + 1,
      ...this.entries.map((entry) => stampOf(entry) + 1));
    const name = `${prefixOf(owner)}${String(this.stamp).padStart(15, "0")}-${key}`;
    return { key, user, name };
  }

  /** @param {Entry} entry */
  add(entry) {
    this.entries.push(entry);
    // Kept before it is sent: a tab may be closed at any moment.
    this.keep(entry);
    this.flush();
  }

  /** @param {Entry} entry */
  keep(entry) {
    try {
      localStorage.setItem(entry.name, JSON.stringify(entry));
    } catch {
      entry.unkept = true;
      this.problem = "this browser keeps nothing: leave the tab open";
    }
  }

  /** @param {Entry} entry */
  remove(entry) {
    this.entries = this.entries.filter((other) => other !== entry);
    localStorage.removeItem(entry.name);
  }

  /**
   * Drops the undo of an answer that was refused and that its giver had taken back already: then
   * neither happened.
   *
   * @param {number} pair
   * @returns {boolean} whether it was so
   */
  withdraw(pair) {
    const later = this.entries.find(({ body }) => body.pair_id === pair);
    if (later?.path !== "undo") return false;
    this.remove(later);
    return true;
  }

  /**
   * Corrects what waits here: its pair is newer, or older, than it was made for.
   *
   * @param {number} pair
   * @param {number} step
   */
  shift(pair, step) {
    for (const entry of this.entries.filter(({ body }) => body.pair_id === pair)) {
      if (entry.path === "save") entry.body.expected_version += step;
      else if (entry.expects) entry.expects.version += step;
      this.keep(entry);
    }
  }

  /** @param {number} pair */
  holds(pair) {
    return this.entries.some((entry) => entry.body.pair_id === pair);
  }

  async flush() {
    // One at a time and in order: an undo is to find the answer before it.
    if (this.sending || !this.entries.length) return;
    clearTimeout(this.timer);
    this.sending = true;
    this.onState();
    while (this.entries.length && (await this.sendFirst()));
    this.sending = false;
    if (this.entries.length) {
      const wait = RETRY_MS[Math.min(this.tries, RETRY_MS.length - 1)];
      this.timer = setTimeout(() => this.flush(), wait);
      this.tries += 1;
    }
    this.onState();
  }

  /** @returns {Promise<boolean>} whether the first entry has left the box */
  async sendFirst() {
    const entry = this.entries[0];
    /** @type {SentReply} */
    let reply;
    try {
      reply = await request(entry.path, entry.body, {}, entry.user);
    } catch {
      this.problem = "no connection";
      return false;
    }
    this.loggedOut = reply.status === 401;
    const refusal = reply.ok ? null : reply.json;
    // Somebody else is logged in: the answer waits for the one who gave it.
    const others = reply.status === 409 && refusal?.field === "user";
    if (others || reply.status >= 500 || PASSING.includes(reply.status)) {
      this.problem = refusal?.message || `the server answered ${reply.status}`;
      return false;
    }
    this.remove(entry);
    this.tries = 0;
    this.problem = "";
    this.onReply(entry, reply);
    this.onState();
    return true;
  }
}
