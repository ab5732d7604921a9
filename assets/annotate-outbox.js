// Answers on their way to the server. Each has a key made once, lives in localStorage until the
// server has committed it, and is sent again after a lost connection: the key makes that harmless.
window.StudioOutbox = (() => {
  const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
  const TIMEOUT_MS = 15000;
  const base = () => new URL("studio/annotate/", document.baseURI);

  // crypto.randomUUID is missing on plain http addresses of a local network.
  const newKey = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
      byte.toString(16).padStart(2, "0")).join("");

  const request = async (path, body, more = {}) => {
    const options = { headers: { "X-Studio": "1" }, signal: AbortSignal.timeout(TIMEOUT_MS), ...more };
    if (body) {
      options.method = "POST";
      options.body = JSON.stringify(body);
      options.headers["Content-Type"] = "application/json";
    }
    const reply = await fetch(new URL(path, base()), options);
    const json = await reply.json().catch(() => ({}));
    return { status: reply.status, ok: reply.ok, json };
  };

  class Outbox {
    // onState() after every change; onReply(entry, reply) when an entry has left the box.
    constructor(onState, onReply) {
      Object.assign(this, { onState, onReply, user: null, entries: [], tries: 0, problem: "" });
      this.loggedOut = false;
      this.sending = false;
      addEventListener("online", () => this.flush());
      // Only what the browser could not keep would be lost with the tab.
      addEventListener("beforeunload", (event) => {
        if (this.entries.some(({ unkept }) => unkept)) event.preventDefault();
      });
    }

    get prefix() {
      return `studio-outbox/${this.user}/`;
    }

    setUser(user) {
      if (this.user === user) return;
      this.user = user;
      this.entries = Object.keys(localStorage)
        .filter((name) => name.startsWith(this.prefix))
        .sort()
        .map((name) => ({ ...JSON.parse(localStorage.getItem(name)), name }));
      this.flush();
    }

    add(path, body) {
      const key = newKey();
      const name = `${this.prefix}${String(Date.now()).padStart(15, "0")}-${performance.now()
        .toFixed(3).padStart(15, "0")}-${key}`;
      const entry = { path, body: { key, ...body }, name };
      this.entries.push(entry);
      try {
        localStorage.setItem(name, JSON.stringify(entry));
      } catch {
        entry.unkept = true;
        this.problem = "this browser keeps nothing: leave the tab open";
      }
      this.flush();
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
        reply = await request(entry.path, entry.body);
      } catch {
        this.problem = "no connection";
        return false;
      }
      this.loggedOut = reply.status === 401;
      if (reply.status >= 500 || [401, 403, 408, 429].includes(reply.status)) {
        this.problem = reply.json.message || `the server answered ${reply.status}`;
        return false;
      }
      this.entries.shift();
      localStorage.removeItem(entry.name);
      this.tries = 0;
      this.problem = "";
      this.onReply(entry, reply);
      this.onState();
      return true;
    }
  }

  return { Outbox, request, newKey };
})();
