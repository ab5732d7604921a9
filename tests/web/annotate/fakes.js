// What a browser and the studio are to the annotating page, written by hand.

/** Storage whose names are its own properties, as those of localStorage are. */
export class FakeStorage {
  #full = false;

  fill() {
    this.#full = true;
  }

  getItem(name) {
    return Object.hasOwn(this, name) ? this[name] : null;
  }

  setItem(name, value) {
    if (this.#full) throw new DOMException("full", "QuotaExceededError");
    this[name] = String(value);
  }

  removeItem(name) {
    delete this[name];
  }
}

/** Time that passes only when a test says so. */
export class FakeClock {
  now = 1_000_000;
  #jobs = [];
  #last = 0;

  add(act, ms, every = null) {
    this.#last += 1;
    this.#jobs.push({ id: this.#last, at: this.now + ms, act, every });
    return this.#last;
  }

  drop(id) {
    this.#jobs = this.#jobs.filter((job) => job.id !== id);
  }

  /** Lets time pass, and what is to happen in it happen. */
  async pass(ms) {
    const until = this.now + ms;
    for (;;) {
      await settled();
      const [next] = this.#jobs.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.now = Math.max(this.now, next.at);
      if (next.every === null) this.drop(next.id);
      else next.at += next.every;
      next.act();
    }
    this.now = until;
    await settled();
  }
}

/** Whatever waits for promises alone is done. */
export const settled = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((done) => setImmediate(done));
};

/** The studio: keeps what it was asked, and answers what the test wants. */
export class FakeStudio {
  asked = [];
  #answers = [];

  /** The next answer; a status of 0 is a lost connection. */
  answer(status, json = {}) {
    this.#answers.push({ status, json });
  }

  /** The next answer comes when the returned function is called. */
  answerLater(status, json = {}) {
    let open;
    const gate = new Promise((done) => (open = done));
    this.#answers.push({ status, json, gate });
    return async () => {
      open();
      await settled();
    };
  }

  async fetch(address, options) {
    const answer = this.#answers.shift() ?? { status: 0 };
    const url = new URL(address);
    this.asked.push({
      path: url.pathname.replace("/studio/annotate/", "") + url.search,
      user: options.headers["X-Studio-User"] ?? null,
      body: options.body === undefined ? null : JSON.parse(options.body),
      keepalive: options.keepalive ?? false,
    });
    await answer.gate;
    if (answer.status === 0) throw new TypeError("no connection");
    const { status, json } = answer;
    return { status, ok: status < 300, json: async () => json };
  }

  get paths() {
    return this.asked.map(({ path }) => path);
  }
}

/** Puts a browser's globals in place for one test; `close` puts them back. */
export const openBrowser = () => {
  const clock = new FakeClock();
  const studio = new FakeStudio();
  const storage = new FakeStorage();
  const listeners = {};
  const fakes = {
    localStorage: storage,
    document: { baseURI: "http://studio.test/", hidden: false },
    fetch: (address, options) => studio.fetch(address, options),
    addEventListener: (name, hear) => (listeners[name] = hear),
    setTimeout: (act, ms) => clock.add(act, ms),
    clearTimeout: (id) => clock.drop(id),
    setInterval: (act, ms) => clock.add(act, ms, ms),
    requestAnimationFrame: (act) => clock.add(act, 16),
    performance: { now: () => clock.now },
  };
  const before = Object.getOwnPropertyDescriptors(globalThis);
  for (const [name, value] of Object.entries(fakes)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const realNow = Date.now;
  Date.now = () => clock.now;
  const close = () => {
    Date.now = realNow;
    for (const name of Object.keys(fakes)) {
      delete globalThis[name];
      if (before[name]) Object.defineProperty(globalThis, name, before[name]);
    }
  };
  return { clock, studio, storage, document: fakes.document, listeners, close };
};

/** A pair as the studio sends it. */
export const card = (pair, more = {}) => ({
  pair_id: pair, showing: `showing-${pair}`, dataset: "charts", images: [`sha-${pair}`],
  prompt: [{ role: "user", parts: [{ text: "What is it?" }] }], question: "What is it?",
  left: { text: "A cat." }, right: { text: "A dog." }, version: 10, current: null, aspects: [],
  markdown: false, guideline: 0, authors: [], ...more,
});
