// Annotating: which pair is shown, what a key or a button does, and what goes into the outbox.
// One pair is shown, the next two wait with their images fetched; the server decides which.
window.StudioAnnotate = (() => {
  const { Outbox, request, newKey } = window.StudioOutbox;
  const { Viewer } = window.StudioViewer;
  const { Queue } = window.StudioQueue;
  const { Draft } = window.StudioDraft;
  const { Writing } = window.StudioWriting;
  const { Looking } = window.StudioLooking;
  const { Marking } = window.StudioMarking;
  const { Seen } = window.StudioSeen;
  const words = window.StudioWords;
  const page = window.StudioPage;
  const ANSWERS = ["left", "right", "tie", "both_good", "unsure", "skip-reason", "editor-save",
    "left-slightly", "left-clearly", "right-slightly", "right-clearly"];
  // What is done to the pair on show, or said about it.
  const OF_PAIR = [...ANSWERS, "skip", "edit", "ideal", "comment", "both-bad", "flag", "mark",
    "differences", "gold", "zoom-in", "zoom-out", "zoom-fit", "rotate", "full",
    ...Array.from({ length: 6 }, (_, index) => `aspect-${index}`)];
  const DAY_MS = 86400000;
  let app = null;

  class App {
    constructor(root, trigger) {
      Object.assign(this, { root, trigger, shown: null, done: [], held: null, differences: false });
      this.refused = [];
      Object.assign(this, { progress: null, datasets: [], standing: {} });
      this.parts = page.build(root);
      this.viewer = new Viewer(this.parts.stage, this.parts.zoom);
      this.outbox = new Outbox(() => this.showStatus(), (entry, reply) => this.sent(entry, reply));
      this.queue = new Queue(this.outbox, () => this.cameIn(), (reply) => this.heard(reply));
      this.queue.idle = () => this.lookAgain();
      this.queue.drafting = () => this.draft?.written;
      this.writing = new Writing(this);
      this.looking = new Looking(this);
      this.marking = new Marking(this);
      this.seen = new Seen(this.parts.work, root);
      this.acts = this.actions();
      root.addEventListener("click", (event) => {
        const act = event.target.closest("[data-act]");
        // The second click of a double click would answer the next pair unseen.
        if (!act || (event.detail > 1 && ANSWERS.includes(act.dataset.act))) return;
        this.act(act.dataset.act, act);
      });
      this.parts.dataset.addEventListener("change", () => this.choose(this.parts.dataset.value));
      this.leaveTheList();
      new IntersectionObserver((seen) => {
        if (seen.some((entry) => entry.isIntersecting)) this.load();
      }).observe(root);
      addEventListener("resize", () => this.fit());
      document.addEventListener("visibilitychange", () => this.pause());
    }

    // Chosen with the mouse, the list gives the keys back to the pair; with the arrows one goes on.
    leaveTheList() {
      const { dataset } = this.parts;
      let pointed = false;
      dataset.addEventListener("pointerdown", () => (pointed = true));
      dataset.addEventListener("keydown", () => (pointed = false));
      dataset.addEventListener("change", () => pointed && dataset.blur());
    }

    get visible() {
      return this.root.isConnected && this.root.getClientRects().length > 0 && !document.hidden;
    }

    actions() {
      const better = (side, strength) => () => this.answer("choose", side, { strength });
      return {
        left: () => this.writing.choose("left") || better("left", "")(),
        right: () => this.writing.choose("right") || better("right", "")(),
        "left-slightly": better("left", "slightly"),
        "right-slightly": better("right", "slightly"),
        "left-clearly": better("left", "clearly"),
        "right-clearly": better("right", "clearly"),
        tie: () => this.answer("tie"),
        both_good: () => this.answer("both_good"),
        unsure: () => this.answer("unsure"),
        ...this.writing.actions(),
        ...this.looking.actions(),
        undo: () => this.undo(),
        "zoom-in": () => this.viewer.zoomBy(1),
        "zoom-out": () => this.viewer.zoomBy(-1),
        "zoom-fit": () => this.viewer.zoomTo(1),
        rotate: () => this.viewer.rotate(),
        full: () => this.viewer.full(),
        "notice-close": () => (this.parts.notice.hidden = true),
        "notice-look": () => this.refused.length && this.looking.at(this.refused.shift()),
        "drop-earlier": () => {
          for (const name of this.outbox.earlier()) localStorage.removeItem(name);
          this.parts.notice.hidden = true;
        },
        "import-samples": () => this.trigger("upload", {}),
        "export-now": () => this.trigger("download", { dataset: this.queue.dataset }),
        "look-again": () => this.load(),
        "export-form": () => page.openForm(),
      };
    }

    act(name, element) {
      this.queue.touched = Date.now();
      const onShow = this.shown && !this.parts.work.hidden;
      if (!onShow && OF_PAIR.includes(name)) this.seen.missed(words.NO_PAIR);
      else this.acts[name]?.(element);
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
      this.queue.counted = 0;
      await this.refill();
    }

    async refreshDatasets() {
      const reply = await request("datasets").catch(() => null);
      if (!reply?.ok) return;
      const { queue } = this;
      this.datasets = reply.json;
      if (queue.dataset && !this.datasets.some(({ name }) => name === queue.dataset)) {
        queue.dataset = "";
      }
      page.fillDatasets(this.parts, this.datasets, queue.dataset);
    }

    // Whether pairs may have come: colleagues hold what is left, or there were none at all.
    lookAgain() {
      const { waiting = 0, total = 0 } = this.progress ?? {};
      const waits = this.visible && !this.shown && (waiting > 0 || !total);
      if (waits) this.refill();
      return waits;
    }

    refill() {
      return this.queue.refill(() => this.shown);
    }

    heard(reply) {
      if (reply) {
        this.lead = reply.lead;
        this.root.classList.toggle("lead", this.lead);
        this.standing = reply.standing;
        this.parts.export.hidden = !this.lead;
        this.belongTo(window.StudioConnection.own);
        if (reply.progress && !this.outbox.entries.length) this.progress = reply.progress;
      }
      this.showStatus();
    }

    // Whose answers these are; what an earlier account of the same name left here is told, not sent.
    belongTo(own) {
      const known = this.outbox.owner !== null;
      this.outbox.setUser(own);
      const left = known ? 0 : this.outbox.earlier().length;
      if (!left) return;
      const text = `${words.many(left, "answer")} in this browser came from an earlier account called ` +
        `${own.user}: never sent in your name.`;
      page.notice(this.parts, text, [["drop-earlier", "Delete"]]);
    }

    cameIn() {
      if (!this.shown) this.showNext();
      else this.showProgress();
    }

    // Time with the page hidden is not time spent on the pair.
    pause() {
      if (document.hidden) this.hiddenAt = performance.now();
      else if (this.hiddenAt) this.since += performance.now() - this.hiddenAt;
      // Somebody who comes back may have logged in, or found the network again.
      if (document.hidden) return;
      if (this.outbox.user !== null) this.outbox.collect();
      if (!this.outbox.problem) return;
      this.outbox.flush();
      this.refill();
    }

    choose(dataset) {
      Object.assign(this, { shown: null, held: null });
      this.writing.close();
      this.seen.leave();
      Object.assign(this.queue, { dataset, waiting: [], counted: 0 });
      page.fillDatasets(this.parts, this.datasets, dataset);
      this.looking.stop();
      this.refill();
    }

    // What is shown

    showNext() {
      this.looking.stop();
      const card = this.queue.take();
      if (card) this.show(card);
      else this.showNothing();
    }

    show(card) {
      const sameImages = this.shown && String(this.shown.images) === String(card.images);
      this.shown = card;
      this.draft = new Draft(this.outbox.owner, card.pair_id, card.current);
      this.since = performance.now();
      this.writing.close();
      this.marking.stop();
      this.parts.empty.hidden = true;
      this.parts.work.hidden = false;
      page.fill(this.parts, card, this.draft, this.differences);
      page.reveal(this.parts);
      page.announce(this.parts, card);
      this.looking.announce(card);
      const drawn = sameImages && this.parts.stage.children.length
        ? this.viewer.zoomTo(1) : this.viewer.show(card.images);
      this.seen.watch(card, drawn, () => (this.since = performance.now()));
      this.showProgress();
    }

    redraw() {
      this.draft.keep();
      page.fillDraft(this.parts, this.shown, this.draft, this.differences);
    }

    async showNothing() {
      this.shown = null;
      this.parts.stage.replaceChildren();
      this.viewer.full(false);
      this.showProgress();
      if (this.outbox.entries.length) return page.showEmpty(this.parts, words.SAVING);
      await this.refreshDatasets();
      const { progress, datasets, lead, standing } = this;
      const state = { progress, datasets, lead, standing, dataset: this.queue.dataset };
      if (!this.shown) page.showEmpty(this.parts, words.emptyState(state));
    }

    showProgress() {
      if (this.progress) page.fillProgress(this.parts, this.progress);
    }

    showStatus() {
      page.fillStatus(this.parts, this.outbox, this.acknowledged);
    }

    // Answers

    answer(kind, winner = null, more = {}) {
      const card = this.shown;
      if (!card || this.parts.work.hidden) return this.seen.missed(words.NO_PAIR);
      if (!this.seen.judged()) return undefined;
      const elapsed = Math.round(performance.now() - this.since);
      this.outbox.add("save", {
        pair_id: card.pair_id, showing: card.showing, kind, winner,
        expected_version: card.version, elapsed_ms: Math.min(elapsed, DAY_MS),
        guideline: card.guideline, next: this.queue.wanted(),
        ...this.draft.body(), ...more,
      });
      const before = card.current;
      this.done.push({ ...card, version: card.version + 1, before });
      this.queue.grow(card.pair_id, card.version + 1);
      if (!before) this.count(1);
      this.draft.forget();
      this.shown = null;
      if (this.held) this.queue.putBack(this.held);
      this.held = null;
      return this.showNext();
    }

    count(step) {
      const { progress } = this;
      if (!progress) return;
      progress.labelled += step;
      progress.today += step;
      // Pairs that are here are left, whatever was expected to come.
      progress.waiting = Math.max(progress.waiting - step, this.queue.waiting.length);
      progress.total = Math.max(progress.total, progress.labelled + progress.waiting);
      progress.pairs = progress.total - progress.twice;
      this.showProgress();
    }

    async undo() {
      // Only what the chosen dataset shows is taken back.
      const chosen = this.queue.dataset;
      const at = this.done.findLastIndex((card) => !chosen || card.dataset === chosen);
      if (at < 0) return this.undoEarlier();
      const [last] = this.done.splice(at, 1);
      // An answer given again after this one has made the pair newer than this one left it.
      const version = Math.max(last.version, this.queue.versions.get(last.pair_id) ?? 0) + 1;
      const expects = { version, kind: last.before?.kind, winner: last.before?.winner };
      const dataset = this.queue.dataset || null;
      this.outbox.add("undo", { pair_id: last.pair_id, showing: last.showing, dataset }, expects);
      this.queue.grow(last.pair_id, version);
      if (!last.before) this.count(-1);
      this.bringBack({ ...last, version, current: last.before });
    }

    // An answer from before this page was loaded: only the server knows which.
    async undoEarlier() {
      if (this.outbox.entries.length) return page.notice(this.parts, "Wait until all is saved.");
      const asked = { key: newKey(), dataset: this.queue.dataset || null };
      const reply = await request("undo", asked).catch(() => null);
      if (!reply?.ok) return page.notice(this.parts, "Undo needs the connection; try again.");
      if (!reply.json.card) return page.notice(this.parts, words.nothingToUndo(asked.dataset));
      this.queue.grow(reply.json.card.pair_id, reply.json.card.version);
      this.progress = reply.json.progress;
      this.bringBack(reply.json.card);
      this.refill();
    }

    bringBack(card) {
      const pending = this.held ?? (this.looking.review ? null : this.shown);
      if (pending && pending.pair_id !== card.pair_id) this.queue.putBack(pending);
      this.held = null;
      this.looking.stop();
      this.queue.drop(card.pair_id);
      this.show(card);
    }

    sent(entry, reply) {
      if (reply.ok) {
        this.acknowledged = true;
        if (entry.path === "undo" && reply.json.card) this.agree(entry, reply.json);
        const { saved, next } = reply.json;
        if (saved?.feedback) page.notice(this.parts, saved.feedback);
        if (next) return this.queue.came(next, entry.body.next.dataset, this.shown);
      } else this.refuse(entry, reply);
      if (!this.outbox.entries.length || this.queue.isLow) this.refill();
      return undefined;
    }

    // What the server says of a pair that was undone. An answer to its second showing, which
    // nothing here tells from another pair, may have made it newer than was thought: then so are
    // the answers that wait.
    agree({ expects }, { card, progress }) {
      if (!this.outbox.entries.length) this.progress = progress;
      const { kind, winner } = card.current ?? {};
      const same = expects && (expects.kind ?? null) === (kind ?? null) &&
        (expects.winner ?? null) === (winner ?? null);
      if (same && card.version > expects.version) {
        this.shift(card.pair_id, card.version - expects.version);
      }
      this.queue.grow(card.pair_id, card.version);
    }

    // Everything known here of the versions of a pair, moved by `step`.
    shift(pair, step) {
      const known = [this.shown, this.held, ...this.done];
      for (const card of known) if (card?.pair_id === pair) card.version += step;
      this.queue.versions.set(pair, (this.queue.versions.get(pair) ?? 0) + step);
      this.outbox.shift(pair, step);
    }

    refuse(entry, reply) {
      const pair = entry.body.pair_id;
      if (entry.path === "save" && this.outbox.withdraw(pair)) return this.shift(pair, -2);
      this.refused = [...this.refused.filter((other) => other !== pair), pair];
      this.done = this.done.filter(({ pair_id }) => pair_id !== pair);
      this.queue.versions.delete(pair); // The server knows better.
      if (entry.path === "save") Draft.restore(this.outbox.owner, entry.body);
      const several = this.refused.length > 1;
      const what = several ? `${this.refused.length} answers were not saved.` : "An answer was not saved.";
      const text = `${what} ${reply.json.message ?? ""} ${reply.json.remedy ?? ""}`;
      page.notice(this.parts, text, [["notice-look", several ? "Look at the first" : "Look at that pair"]], "bad");
      return this.parts.notice.scrollIntoView({ block: "nearest" });
    }

    key(event) {
      if (this.writing.key(event) || this.marking.key(event)) return;
      if (event.target.closest?.("input, textarea, select, [contenteditable=true]")) return;
      if (event.key === "Escape") return this.looking.escape();
      if (this.looking.moves(event)) return event.preventDefault();
      if (this.queue.isOld) this.refill();
      const name = words.plainKey(event);
      if (name === " " && words.pressable(event.target)) return;
      const act = name in words.KEYS && (() => this.act(words.KEYS[name]));
      if (name.length === 1 && this.seen.ignores(name, act)) return event.preventDefault();
      // A letter that does nothing is one of a text that goes nowhere.
      if (!(name in words.KEYS)) return name.length === 1 && this.seen.quiet();
      event.preventDefault();
      // A space this early stands between the words of a text.
      if (name === " " && !this.seen.judged()) return undefined;
      return this.act(words.KEYS[name]);
    }
  }

  document.addEventListener("keydown", (event) => {
    // A held Enter would press the focused button for pair after pair.
    const held = event.repeat && app?.root.contains(event.target);
    if (held && event.target.tagName === "BUTTON") event.preventDefault();
    const again = event.repeat && !window.StudioLooking.goesOn(event);
    if (!app?.visible || again || event.isComposing || event.keyCode === 229) return;
    if (event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (!event.ctrlKey && !event.metaKey) app.key(event);
    else if (event.key === "Enter") app.writing.commit(event);
  });

  // The dataset that another tab's button asked for, until the page is there.
  let wanted = null;

  return {
    attach(root, trigger) {
      if (app?.root === root) return;
      app = new App(root, trigger);
      if (wanted !== null) app.choose(wanted);
      wanted = null;
    },
    // Only pairs of `dataset`; of all with an empty name.
    choose(dataset) {
      if (app) app.choose(dataset);
      else wanted = dataset;
    },
    refresh() {
      return app?.load();
    },
  };
})();
