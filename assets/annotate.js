// Annotating: which pair is shown, what a key or a button does, and what goes into the outbox.
// One pair is shown, the next two wait with their images fetched; the server decides which.
window.StudioAnnotate = (() => {
  const { Outbox, request, newKey } = window.StudioOutbox;
  const { Viewer, prefetch } = window.StudioViewer;
  const page = window.StudioPage;
  const AHEAD = 3;
  const RENEW_MS = 180000;
  const ANSWERS = ["left", "right", "tie", "both_good", "both_bad", "unsure", "skip-reason"];
  const KINDS = ["tie", "both_good", "both_bad", "unsure"];
  let app = null;

  class App {
    constructor(root, trigger) {
      Object.assign(this, { root, trigger, shown: null, waiting: [], done: [], versions: new Map() });
      Object.assign(this, { review: null, progress: null, datasets: [], dataset: "", loaded: 0 });
      this.parts = page.build(root);
      this.viewer = new Viewer(this.parts.stage, this.parts.zoom);
      this.outbox = new Outbox(() => this.showStatus(), (entry, reply) => this.sent(entry, reply));
      root.addEventListener("click", (event) => {
        const act = event.target.closest("[data-act]");
        // The second click of a double click would answer the next pair unseen.
        if (!act || (event.detail > 1 && ANSWERS.includes(act.dataset.act))) return;
        this.act(act.dataset.act, act);
      });
      this.parts.skip.addEventListener("submit", (event) => {
        event.preventDefault();
        this.act("skip-send");
      });
      this.parts.reason.addEventListener("input", () => this.keepDraft());
      this.parts.dataset.addEventListener("change", () => this.choose(this.parts.dataset.value));
      new IntersectionObserver((seen) => {
        if (seen.some((entry) => entry.isIntersecting)) this.load();
      }).observe(root);
      addEventListener("resize", () => this.fit());
      document.addEventListener("visibilitychange", () => this.pause());
    }

    get visible() {
      return this.root.isConnected && this.root.getClientRects().length > 0 && !document.hidden;
    }

    act(name, element) {
      if (KINDS.includes(name)) return this.answer(name);
      const acts = {
        left: () => this.answer("choose", this.shown?.left.candidate_id),
        right: () => this.answer("choose", this.shown?.right.candidate_id),
        skip: () => this.openSkip(),
        "skip-reason": () => this.skip(element.dataset.reason),
        "skip-send": () => this.skip(this.parts.reason.value.trim()),
        "skip-cancel": () => this.closeSkip(),
        undo: () => this.undo(),
        back: () => this.look(1),
        forward: () => this.look(-1),
        help: () => this.parts.help.showModal(),
        "help-close": () => this.parts.help.close(),
        "zoom-in": () => this.viewer.zoomBy(1),
        "zoom-out": () => this.viewer.zoomBy(-1),
        "zoom-fit": () => this.viewer.zoomTo(1),
        "notice-close": () => (this.parts.notice.hidden = true),
        "notice-look": () => this.lookAt(this.refused),
        "import-samples": () => this.trigger("upload", {}),
        "export-now": () => this.trigger("download", { dataset: this.dataset }),
        "look-again": () => this.load(),
        "export-form": () => page.openForm(),
      };
      acts[name]?.();
    }

    // Pairs from the server

    // The page ends where the window does, whatever stands above it.
    fit() {
      if (!this.visible) return;
      const top = this.root.getBoundingClientRect().top + scrollY;
      this.root.style.setProperty("--an-top", `${Math.round(top)}px`);
    }

    async load() {
      this.fit();
      await this.refreshDatasets();
      await this.refill();
    }

    async refreshDatasets() {
      const reply = await request("datasets").catch(() => null);
      if (!reply?.ok) return;
      this.datasets = reply.json;
      if (this.dataset && !this.datasets.some(({ name }) => name === this.dataset)) this.dataset = "";
      page.fillDatasets(this.parts, this.datasets, this.dataset);
    }

    async refill() {
      const wanted = this.dataset;
      const count = Math.min(5, AHEAD + this.outbox.entries.length);
      const body = { dataset: wanted || null, count };
      const reply = await request("next", body).catch(() => null);
      if (!reply || wanted !== this.dataset) return;
      if (!reply.ok) {
        this.outbox.problem = reply.json.message || "the server does not answer";
        return this.showStatus();
      }
      this.loaded = Date.now();
      this.lead = reply.json.lead;
      this.parts.export.hidden = !this.lead;
      this.outbox.setUser(reply.json.user);
      if (!this.outbox.entries.length) this.progress = reply.json.progress;
      this.merge(reply.json.cards);
    }

    // A reply may have left before our latest answers arrived: those pairs are not new.
    merge(cards) {
      const fresh = cards.filter((card) =>
        card.pair_id !== this.shown?.pair_id && !this.outbox.holds(card.pair_id) &&
        card.version >= (this.versions.get(card.pair_id) ?? 0));
      this.waiting = fresh;
      prefetch(fresh.flatMap((card) => card.images));
      if (!this.shown) this.showNext();
      else this.showProgress();
    }

    // Time with the page hidden is not time spent on the pair.
    pause() {
      if (document.hidden) this.hiddenAt = performance.now();
      else if (this.hiddenAt) this.since += performance.now() - this.hiddenAt;
    }

    choose(dataset) {
      this.dataset = dataset;
      Object.assign(this, { shown: null, waiting: [], review: null });
      this.refill();
    }

    // What is shown

    showNext() {
      this.review = null;
      const card = this.waiting.shift();
      if (card) this.show(card);
      else this.showNothing();
    }

    show(card) {
      const sameImages = this.shown && String(this.shown.images) === String(card.images);
      this.shown = card;
      this.since = performance.now();
      this.closeSkip();
      this.parts.empty.hidden = true;
      this.parts.work.hidden = false;
      page.fill(this.parts, card);
      if (!sameImages || !this.parts.stage.children.length) this.viewer.show(card.images);
      else this.viewer.zoomTo(1);
      this.showProgress();
    }

    async showNothing() {
      this.shown = null;
      this.parts.stage.replaceChildren();
      this.showProgress();
      if (this.outbox.entries.length) {
        return page.showEmpty(this.parts, page.SAVING);
      }
      await this.refreshDatasets();
      if (!this.shown) page.showEmpty(this.parts, page.emptyState(this));
    }

    showProgress() {
      if (this.progress) page.fillProgress(this.parts, this.progress);
    }

    showStatus() {
      page.fillStatus(this.parts, this.outbox, this.acknowledged);
    }

    // Answers

    answer(kind, winner = null, reason = "") {
      const card = this.shown;
      if (!card || this.parts.work.hidden) return;
      const elapsed = Math.round(performance.now() - this.since);
      this.outbox.add("save", {
        pair_id: card.pair_id, kind, winner_id: winner, expected_version: card.version, reason,
        elapsed_ms: Math.min(elapsed, 86400000), shown_left_id: card.left.candidate_id,
      });
      const before = card.current;
      this.done.push({ ...card, version: card.version + 1, before });
      this.versions.set(card.pair_id, card.version + 1);
      if (!before) this.count(1);
      localStorage.removeItem(this.draftName(card));
      this.shown = null;
      if (this.held) this.waiting.unshift(this.held);
      this.held = null;
      this.showNext();
    }

    count(step) {
      const { progress } = this;
      if (!progress) return;
      progress.labelled += step;
      progress.today += step;
      progress.waiting -= step;
      this.showProgress();
    }

    async undo() {
      const last = this.done.pop();
      if (!last) return this.undoEarlier();
      this.outbox.add("undo", { pair_id: last.pair_id });
      this.versions.set(last.pair_id, last.version + 1);
      if (!last.before) this.count(-1);
      this.bringBack({ ...last, version: last.version + 1, current: last.before });
    }

    // An answer from before this page was loaded: only the server knows which.
    async undoEarlier() {
      if (this.outbox.entries.length) return page.notice(this.parts, "Wait until all is saved.");
      const reply = await request("undo", { key: newKey() }).catch(() => null);
      if (!reply?.ok) return page.notice(this.parts, "Undo needs the connection; try again.");
      if (!reply.json.card) return page.notice(this.parts, "There is nothing to undo.");
      this.versions.set(reply.json.card.pair_id, reply.json.card.version);
      this.bringBack(reply.json.card);
      this.refill();
    }

    bringBack(card) {
      const pending = this.held ?? (this.review ? null : this.shown);
      if (pending && pending.pair_id !== card.pair_id) this.waiting.unshift(pending);
      Object.assign(this, { held: null, review: null });
      this.waiting = this.waiting.filter(({ pair_id }) => pair_id !== card.pair_id);
      this.show(card);
    }

    sent(entry, reply) {
      if (reply.ok) {
        this.acknowledged = true;
        if (entry.path === "undo" && reply.json.card) this.agree(reply.json.card);
      } else this.refuse(entry, reply);
      if (!this.outbox.entries.length || this.waiting.length < AHEAD - 1) this.refill();
    }

    // The server's word on the version of a pair that was undone.
    agree(card) {
      this.versions.set(card.pair_id, card.version);
      if (this.shown?.pair_id === card.pair_id) this.shown.version = card.version;
    }

    refuse(entry, reply) {
      this.refused = entry.body.pair_id;
      this.done = this.done.filter(({ pair_id }) => pair_id !== this.refused);
      this.versions.delete(this.refused);
      if (entry.body.reason) {
        localStorage.setItem(this.draftName(entry.body), entry.body.reason);
      }
      const text = `An answer was not saved. ${reply.json.message ?? ""} ${reply.json.remedy ?? ""}`;
      page.notice(this.parts, text, [["notice-look", "Look at that pair"]]);
      this.parts.notice.scrollIntoView({ block: "nearest" });
    }

    // Skipping

    draftName({ pair_id }) {
      return `studio-draft/${this.outbox.user}/${pair_id}`;
    }

    keepDraft() {
      if (this.shown) localStorage.setItem(this.draftName(this.shown), this.parts.reason.value);
    }

    openSkip() {
      if (!this.shown) return;
      this.parts.reason.value = localStorage.getItem(this.draftName(this.shown)) ?? "";
      this.parts.skip.hidden = false;
      this.parts.skip.querySelector("button").focus();
    }

    closeSkip() {
      this.parts.skip.hidden = true;
      if (this.parts.skip.contains(document.activeElement)) document.activeElement.blur();
    }

    skip(reason) {
      if (!reason) return this.parts.reason.focus();
      this.closeSkip();
      this.answer("skip", null, reason);
    }

    // Looking back

    async look(step) {
      if (!this.review) {
        if (step < 0) return;
        const reply = await request("history?limit=200").catch(() => null);
        if (!reply?.ok) return page.notice(this.parts, "Your answers cannot be read just now.");
        const pairs = reply.json.entries.filter((entry) => entry.current).map((e) => e.pair_id);
        this.review = { pairs, at: -1 };
      }
      const at = this.review.at + step;
      if (at >= this.review.pairs.length) return;
      if (at < 0) return this.backToWork();
      this.review.at = at;
      await this.lookAt(this.review.pairs[at]);
    }

    async lookAt(pair) {
      const reply = await request(`card/${pair}`).catch(() => null);
      if (!reply?.ok) return page.notice(this.parts, "That pair cannot be read just now.");
      if (this.shown && !this.shown.current) this.held ??= this.shown;
      this.parts.notice.hidden = true;
      this.show(reply.json);
    }

    backToWork() {
      const card = this.held;
      Object.assign(this, { review: null, held: null, shown: null });
      if (card) this.show(card);
      else this.showNext();
    }

    key(event) {
      const skipping = !this.parts.skip.hidden;
      if (skipping && event.key === "Escape") return this.closeSkip();
      if (event.target.closest?.("input, textarea, select, [contenteditable=true]")) return;
      if (this.parts.help.open) return;
      if (Date.now() - this.loaded > RENEW_MS) this.refill();
      const name = page.plainKey(event);
      if (skipping) {
        const reason = page.REASONS[Number(name) - 1];
        return reason && this.skip(reason);
      }
      if (!(name in page.KEYS)) return;
      event.preventDefault();
      this.act(page.KEYS[name]);
    }
  }

  document.addEventListener("keydown", (event) => {
    // A held Enter would press the focused button for pair after pair.
    const held = event.repeat && app?.root.contains(event.target);
    if (held && event.target.tagName === "BUTTON") event.preventDefault();
    if (!app?.visible || event.repeat || event.isComposing || event.keyCode === 229) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    app.key(event);
  });

  return {
    attach(root, trigger) {
      if (app?.root !== root) app = new App(root, trigger);
    },
    refresh() {
      return app?.load();
    },
  };
})();
