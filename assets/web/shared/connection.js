// What every request of the page carries, and how the page stays known without holding a line.
// A page belongs to whoever opened it: each request names them, and the server refuses it when
// somebody else is logged in by then. Its events also name the start of the studio that it was made
// by (api/access/page_user.py). Short beats say that the page is open (ui/shell/heartbeats.py): a
// request held open by each page would, in six of them, leave none for a save.

import { announce } from "./page-events.js";

/** @typedef {import("./page-events.js").Identity} Identity */
/** @typedef {import("./page-events.js").KnownUser} KnownUser */
/** @typedef {import("./page-events.js").PageState} PageState */

export const USER = "X-Studio-User";
const ACCOUNT = "X-Studio-Account";
const ROLE = "X-Studio-Role";
const START = "X-Studio-Start";
const HEARTBEAT = /\/gradio_api\/heartbeat\/[\w-]+$/;
const TELLS = /\/studio\/(?!images\/|thumbs\/)/;
const EVENTS = /\/gradio_api\/(queue\/join|run\/predict\/?)$/;
const ASKS_AGAIN = /\/gradio_api\/app_id\/?$/; // what Gradio's page does once it has lost the studio
const STATELESS = /\/annotate\/?$/;
const BEAT_MS = 20000;

/**
 * Names the owner of something in one word.
 *
 * @param {Identity} identity
 * @returns {string}
 */
export const ownerOf = ({ user, account }) => (account ? `${user}/${account}` : user);

/** Knows whose page this is and which start of the studio made it, from what the studio answers. */
export class PageConnection {
  constructor() {
    /** @type {Identity | null} */
    this.own = null;
    /** @type {Identity | null} */
    this.now = null;
    /** @type {string | null} */
    this.role = null;
    /** @type {string | null} */
    this.start = null;
  }

  /** Name of whoever opened the page; null before the studio has said it. */
  get user() {
    return this.own?.user ?? null;
  }

  /** The same with their account, as one word. */
  get owner() {
    return this.own && ownerOf(this.own);
  }

  /**
   * Reads in an answer who is logged in; the first answer says whose page this is.
   *
   * @param {Headers} headers
   * @returns {KnownUser | null} What is known now, if that is news.
   */
  hearUser(headers) {
    const named = headers.get(USER);
    if (named === null) return null;
    const account = decodeURIComponent(headers.get(ACCOUNT) ?? "");
    const now = { user: decodeURIComponent(named), account };
    const role = headers.get(ROLE);
    if (this.now && ownerOf(now) === ownerOf(this.now) && role === this.role) return null;
    this.own ??= now;
    this.now = now;
    this.role = role;
    return { ...this.#state(), own: this.own, now };
  }

  /**
   * Reads in an answer which start of the studio gave it.
   *
   * @param {Headers} headers
   * @returns {PageState | null} What is known now, if the studio was restarted.
   */
  hearStart(headers) {
    const start = headers.get(START);
    if (start === null || start === this.start) return null;
    this.start ??= start;
    return start === this.start ? null : this.#state();
  }

  /** Forgets who is logged in, so that whoever logs in next is news. */
  forgetUser() {
    this.now = null;
  }

  /**
   * Adds to a request's headers whose page asks, and which start of the studio made it.
   *
   * @param {Headers} headers
   * @param {string} pathname
   * @returns {Headers} The same headers.
   */
  name(headers, pathname) {
    if (this.start !== null && EVENTS.test(pathname)) headers.set(START, this.start);
    if (this.own === null) return headers;
    if (!headers.has(USER)) headers.set(USER, encodeURIComponent(this.own.user));
    headers.set(ACCOUNT, encodeURIComponent(this.own.account));
    return headers;
  }

  /** @returns {PageState} */
  #state() {
    return { own: this.own, now: this.now, role: this.role, start: this.start };
  }
}

/** The connection of this page. */
export const connection = new PageConnection();

/**
 * Puts the page's name on every request to the studio, and hears what its answers say.
 *
 * @param {(input: RequestInfo | URL, init?: RequestInit) => Promise<Response>} send
 */
const nameRequests = (send) => {
  // The annotators' page has all it needs in the browser: a restart is nothing to it.
  const keepsState = !STATELESS.test(location.pathname);
  window.fetch = async (input, init) => {
    const address = new URL(input instanceof Request ? input.url : input, location.href);
    if (address.origin !== location.origin) return send(input, init);
    if (ASKS_AGAIN.test(address.pathname)) announce("lost", null);
    const given = init?.headers ?? (input instanceof Request ? input.headers : {});
    const headers = connection.name(new Headers(given), address.pathname);
    const reply = await send(input, { ...init, headers });
    const user = TELLS.test(address.pathname) ? connection.hearUser(reply.headers) : null;
    if (user) announce("user", user);
    const restart = keepsState ? connection.hearStart(reply.headers) : null;
    if (restart) announce("restart", restart);
    if (reply.status === 401) {
      connection.forgetUser();
      announce("out", connection.own);
    }
    return reply;
  };
};

/**
 * Sends beats to the address of Gradio's own heartbeat, which is answered at once.
 *
 * @param {(input: RequestInfo | URL, init?: RequestInit) => Promise<Response>} send
 */
const keepBeating = (send) => {
  /** @type {string | null} */
  let heartbeat = null;
  const beat = () => {
    if (heartbeat) send(heartbeat, { headers: connection.name(new Headers(), "") }).catch(() => null);
  };
  new PerformanceObserver((entries) => {
    for (const { name } of entries.getEntries()) {
      if (HEARTBEAT.test(new URL(name).pathname)) heartbeat = name;
    }
  }).observe({ type: "resource", buffered: true });
  setInterval(beat, BEAT_MS);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) beat();
  });
};

/** Takes the page's requests over, before anything else sends one. */
export const openConnection = () => {
  const send = window.fetch.bind(window);
  keepBeating(send);
  nameRequests(send);
};
