// The pairs that wait: asked from the server, three at a time, with their images fetched ahead.
window.StudioQueue = (() => {
  const { request } = window.StudioOutbox;
  const { prefetch } = window.StudioViewer;
  const AHEAD = 3;
  const BEAT_MS = 60000;
  const RENEW_MS = 180000;
  const ASLEEP_MS = 300000;
  const COUNT_MS = 60000;

  class Queue {
    // onCards() when there are new pairs; onReply(json) after every answer of the server.
    constructor(outbox, onCards, onReply) {
      Object.assign(this, { outbox, onCards, onReply, waiting: [], versions: new Map() });
      Object.assign(this, { dataset: "", loaded: 0, counted: 0, stamp: 0, touched: Date.now() });
      setInterval(() => this.beat(), BEAT_MS);
      addEventListener("pagehide", () => this.leave());
    }

    // What is asked for: enough for the answers on their way, and the counts now and then.
    wanted() {
      const count = Math.min(5, AHEAD + this.outbox.entries.length);
      const progress = Date.now() - this.counted > COUNT_MS && !this.outbox.entries.length;
      return { dataset: this.dataset || null, count, progress };
    }

    // `shown` gives the pair on show, which is not to come again.
    async refill(shown) {
      const wanted = this.wanted();
      const reply = await request("next", wanted).catch(() => null);
      if (!reply) return;
      if (reply.ok) this.came(reply.json, wanted.dataset, shown());
      else {
        this.outbox.problem = reply.json.message || "the server does not answer";
        this.outbox.loggedOut = reply.status === 401;
        this.onReply(null);
      }
    }

    came(reply, dataset, shown) {
      if ((dataset ?? "") !== this.dataset) return;
      this.loaded = Date.now();
      if (!this.outbox.entries.length) Object.assign(this.outbox, { problem: "", loggedOut: false });
      this.stamp = reply.stamp;
      this.onReply(reply);
      // Counts that come while answers wait are not shown: they are asked for again.
      if (reply.progress && !this.outbox.entries.length) this.counted = this.loaded;
      this.merge(reply.cards, shown);
    }

    // A reply may have left before our latest answers arrived: those pairs are not new.
    merge(cards, shown) {
      this.waiting = cards.filter((card) =>
        card.pair_id !== shown?.pair_id && !this.outbox.holds(card.pair_id) &&
        card.version >= (this.versions.get(card.pair_id) ?? 0));
      prefetch(this.waiting.flatMap((card) => card.images));
      this.onCards();
    }

    // What is known of how often a pair was answered and undone only ever grows, whatever order
    // the server's replies come in.
    grow(pair, version) {
      this.versions.set(pair, Math.max(version, this.versions.get(pair) ?? 0));
    }

    take() {
      return this.waiting.shift();
    }

    putBack(card) {
      this.drop(card.pair_id);
      this.waiting.unshift(card);
    }

    drop(pair) {
      this.waiting = this.waiting.filter(({ pair_id }) => pair_id !== pair);
    }

    get isLow() {
      return this.waiting.length < AHEAD - 1;
    }

    get isOld() {
      return Date.now() - this.loaded > RENEW_MS;
    }

    // Whoever works keeps the pairs they hold; a forgotten tab gives them up in time.
    beat() {
      if (this.idle?.()) return;
      if (document.hidden || !this.loaded || Date.now() - this.touched > ASLEEP_MS) return;
      request("heartbeat", {}).catch(() => null);
    }

    leave() {
      if (!this.stamp || this.outbox.entries.length || this.drafting?.()) return;
      request("leave", { stamp: this.stamp }, { keepalive: true }).catch(() => null);
    }
  }

  return { Queue };
})();
