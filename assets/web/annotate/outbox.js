// Answers on their way to the server. Each has a key made once, lives in localStorage until the
// server has committed it, and is sent again after a lost connection: the key makes that harmless.
// Each belongs to whoever gave it: it is sent in that name alone, and waits while another is
// logged in.
window.StudioOutbox = (() => {
  const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
  const TIMEOUT_MS = 15000;
  const { USER, ownerOf } = window.StudioConnection;
  const base = () => new URL("studio/annotate/", document.baseURI);

  // crypto.randomUUID is missing on plain http addresses of a local network.
  const newKey = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
      byte.toString(16).padStart(2, "0")).join("");

  const request = async (path, body, more = {}, user = null) => {
    const options = { headers: { "X-Studio": "1" }, signal: AbortSignal.timeout(TIMEOUT_MS), ...more };
    if (user !== null) options.headers[USER] = encodeURIComponent(user);
    if (body) {
      options.method = "POST";
      options.body = JSON.stringify(body);
      options.headers["Content-Type"] = "application/json";
    }
    const reply = await fetch(new URL(path, base()), options);
    const json = await reply.json().catch(() => ({}));
    return { status: reply.status, ok: reply.ok, json };
  };

  const prefixOf = (owner) => `studio-outbox/${owner}/`;
  // Names of what `owner` has given and is not saved yet, oldest first.
  const namesOf = (owner) => {
    const prefix = prefixOf(owner);
    return Object.keys(localStorage)
      .filter((name) => name.startsWith(prefix) && !name.slice(prefix.length).includes("/"))
      .sort();
  };
  const stampOf = ({ name }) => Number(name.slice(name.lastIndexOf("/") + 1).split("-")[0]) || 0;
  const stored = (name, user) => {
    try {
      const entry = JSON.parse(localStorage.getItem(name));
      // One kept by an older version has its user in its name only.
      return entry?.body && (entry.user ?? user) === user ? { ...entry, user, name } : null;
    } catch {
      return null; // Not ours, or torn: it stays where it is.
    }
  };

  // How many answers of an account wait in this browser; none of nobody.
  const pending = (own) =>
    own ? namesOf(ownerOf(own)).filter((name) => stored(name, own.user)).length : 0;

  class Outbox {
    // onState() after every change; onReply(entry, reply) when an entry has left the box.
    constructor(onState, onReply) {
      Object.assign(this, { onState, onReply, user: null, owner: null, entries: [], tries: 0, problem: "" });
      this.loggedOut = false;
      Object.assign(this, { sending: false, stamp: 0 });
      addEventListener("online", () => this.flush());
      // Only what the browser could not keep would be lost with the tab.
      addEventListener("beforeunload", (event) => {
        if (this.entries.some(({ unkept }) => unkept)) event.preventDefault();
      });
    }

    setUser(own) {
      const owner = ownerOf(own);
      if (this.owner === owner) return;
      Object.assign(this, { user: own.user, owner });
      this.collect();
    }

    // Names of what an earlier account of the same name left here: it is never sent.
    earlier() {
      const own = new Set(namesOf(this.owner));
      return Object.keys(localStorage)
        .filter((name) => name.startsWith(prefixOf(this.user)) && !own.has(name))
        .filter((name) => stored(name, this.user));
    }

    // What this user gave on pages that were closed, or that another page is sending too: the
    // server counts each key once.
    collect() {
      const known = new Set(this.entries.map(({ name }) => name));
      const found = namesOf(this.owner).filter((name) => !known.has(name))
        .map((name) => stored(name, this.user)).filter(Boolean);
      if (!found.length) return;
      this.entries = [...this.entries, ...found].sort((a, b) => (a.name < b.name ? -1 : 1));
      this.flush();
    }

    // `expects` is kept with the entry and not sent.
    add(path, body, expects) {
      const key = newKey();
      const { user, owner } = this;
      // The names are in the order of the answers, also when the clock is set back.
      this.stamp = Math.max(Date.now(), this.stamp + 1,
        ...this.entries.map((entry) => stampOf(entry) + 1));
      const name = `${prefixOf(owner)}${String(this.stamp).padStart(15, "0")}-${key}`;
      const entry = { path, body: { key, ...body }, expects, user, name };
      this.entries.push(entry);
      this.keep(entry);
      this.flush();
    }

    keep(entry) {
      try {
        localStorage.setItem(entry.name, JSON.stringify(entry));
      } catch {
        entry.unkept = true;
        this.problem = "this browser keeps nothing: leave the tab open";
      }
    }

    remove(entry) {
      this.entries = this.entries.filter((one) => one !== entry);
      localStorage.removeItem(entry.name);
    }

    // An answer was refused that its giver had taken back already: then neither happened.
    // Whether it was so.
    withdraw(pair) {
      const later = this.entries.find(({ body }) => body.pair_id === pair);
      if (later?.path !== "undo") return false;
      this.remove(later);
      return true;
    }

    // The pair is newer, or older, than what waits here was made for.
    shift(pair, step) {
      for (const entry of this.entries.filter(({ body }) => body.pair_id === pair)) {
        if (entry.path === "save") entry.body.expected_version += step;
        else if (entry.expects) entry.expects.version += step;
        this.keep(entry);
      }
    }

    holds(pair) {
      return this.entries.some((entry) => entry.body.pair_id === pair);
    }

    async flush() {
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

    async sendFirst() {
      const entry = this.entries[0];
      let reply;
      try {
        reply = await request(entry.path, entry.body, {}, entry.user);
      } catch {
        this.problem = "no connection";
        return false;
      }
      this.loggedOut = reply.status === 401;
      const others = reply.status === 409 && reply.json.field === "user";
      if (others || reply.status >= 500 || [401, 403, 408, 429].includes(reply.status)) {
        this.problem = reply.json.message || `the server answered ${reply.status}`;
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

  return { Outbox, request, newKey, pending };
})();
