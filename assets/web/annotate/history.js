// Looking back through one's answers, at the guidelines, at the keys, at differences.
window.StudioLooking = (() => {
  const { request } = window.StudioOutbox;
  const page = window.StudioPage;
  const text = window.StudioText;
  const { pressable } = window.StudioWords;
  const MOST = 200;
  const SCROLL = { ArrowUp: -80, ArrowDown: 80 };
  const VOTES = ["choose", "tie", "both_good", "both_bad"];

  class Looking {
    constructor(app) {
      Object.assign(this, { app, parts: app.parts, review: null, away: false });
    }

    actions() {
      return {
        back: () => this.step(1),
        forward: () => this.step(-1),
        help: () => this.parts.help.showModal(),
        "help-close": () => this.parts.help.close(),
        guidelines: () => this.guidelines(),
        differences: () => this.differences(),
        gold: () => this.gold(),
      };
    }

    stop() {
      Object.assign(this, { review: null, away: false });
    }

    async step(step) {
      const { seen } = this.app;
      if (this.reading) return seen.say("Not counted: your answers are being read");
      if (!this.review && step < 0) return seen.say("There is nothing further on");
      const review = this.review ?? { pairs: [], at: -1, before: "", more: true };
      const at = review.at + step;
      if (at >= review.pairs.length && review.more && !(await this.read(review))) return;
      if (at >= review.pairs.length) return seen.say("There is nothing further back");
      this.review = review;
      if (at < 0) return this.backToWork();
      review.at = at;
      await this.at(review.pairs[at]);
    }

    // The next answers of the past, newest first; whether they could be read.
    async read(review) {
      this.reading = true;
      const reply = await request(`history?limit=${MOST}${review.before}`).catch(() => null);
      this.reading = false;
      if (!reply?.ok) {
        page.notice(this.parts, "Your answers cannot be read just now.");
        return false;
      }
      const { entries } = reply.json;
      review.pairs.push(...entries.filter((entry) => entry.current).map((entry) => entry.pair_id));
      review.before = `&before=${entries.at(-1)?.label_id}`;
      review.more = entries.length === MOST;
      return true;
    }

    async at(pair) {
      const { app } = this;
      // What the server has of a pair is old while an answer to it is on its way.
      if (app.outbox.holds(pair)) return page.notice(this.parts, "Wait until all is saved.");
      const reply = await request(`card/${pair}`).catch(() => null);
      if (!reply?.ok) return page.notice(this.parts, "That pair cannot be read just now.");
      if (app.shown && !app.shown.current) app.held ??= app.shown;
      this.parts.notice.hidden = true;
      this.away = true;
      app.show(reply.json);
    }

    backToWork() {
      const { app } = this;
      const card = app.held;
      this.stop();
      Object.assign(app, { held: null, shown: null });
      if (card) app.show(card);
      else app.showNext();
    }

    differences() {
      const { app } = this;
      if (!app.shown) return;
      app.differences = !app.differences;
      app.redraw();
    }

    async guidelines() {
      const { parts } = this;
      if (!parts.guidelines.hidden) {
        parts.guidelines.hidden = true;
        return;
      }
      const dataset = this.app.shown?.dataset || this.app.queue.dataset;
      const reply = dataset
        ? await request(`guidelines?dataset=${encodeURIComponent(dataset)}`).catch(() => null) : null;
      const { version, text: written } = reply?.json ?? {};
      parts.guidelinesTitle.textContent = version ? `Guidelines, version ${version}` : "Guidelines";
      if (version) text.markdown(parts.guidelinesText, written);
      else parts.guidelinesText.textContent = "The lead has not written any yet.";
      parts.guidelines.hidden = false;
      parts.guidelines.focus();
      this.remember(dataset, version);
    }

    // Guidelines written since this person last read them are announced on their button.
    announce({ dataset, guideline }) {
      const shown = this.parts.root.querySelector(".an-bar [data-act=guidelines]");
      shown.toggleAttribute("data-new", guideline > this.readVersion(dataset));
      shown.title = shown.hasAttribute("data-new") ? "There is a version you have not read" : "";
    }

    readName(dataset) {
      return `studio-guidelines/${this.app.outbox.owner}/${dataset}`;
    }

    readVersion(dataset) {
      return Number(localStorage.getItem(this.readName(dataset)) ?? 0);
    }

    remember(dataset, version) {
      if (!version) return;
      try {
        localStorage.setItem(this.readName(dataset), version);
      } catch {
        // The announcement stays; nothing else depends on it.
      }
      this.announce({ dataset, guideline: version });
    }

    // Closes the topmost of what is open. The bar is not in the way of work: it closes along with
    // looking back, or somebody who pressed Esc once would answer the same pair again.
    escape() {
      const { app } = this;
      const { notice, guidelines } = this.parts;
      if (app.viewer.isFull) return app.viewer.full(false);
      const closed = !notice.hidden;
      notice.hidden = true;
      if (!guidelines.hidden) guidelines.hidden = !closed;
      else if (this.away) this.backToWork();
    }

    // Whether the key moved the image, scrolled the answers, or took the one step there is.
    moves({ key, shiftKey, target }) {
      if (shiftKey && key.startsWith("Arrow")) this.app.viewer.pan(key);
      else if (key in SCROLL) {
        const within = target.closest(".an-text, .an-question, .an-guidelines");
        return !within && page.scroll(this.parts, SCROLL[key]);
      } else if (key === "Enter" && !pressable(target)) page.entered(this.parts)?.click();
      else return false;
      return true;
    }

    // For leads: the answer on show becomes the known right one; the same again takes it back.
    async gold() {
      const { app, parts } = this;
      const { pair_id, current } = app.shown ?? {};
      if (!app.lead) return app.seen.missed("Not counted: only a lead makes pairs gold");
      if (!VOTES.includes(current?.kind)) {
        return page.notice(parts, "Answer the pair, look back at it with ←, then make it gold.");
      }
      // Another lead's gold is changed only after this one was told of it.
      const version = this.told?.pair_id === pair_id ? this.told.version : 0;
      const reply = await request("gold", { pair_id, version }).catch(() => null);
      this.told = reply?.json.version ? { pair_id, version: reply.json.version } : null;
      if (!reply?.ok) {
        const { message = "No connection.", remedy = "" } = reply?.json ?? {};
        return page.notice(parts, `${message} ${remedy}`);
      }
      page.notice(parts, !reply.json.gold ? "This pair is gold no longer." : "Gold: everybody gets this pair, " +
        "and your answer is the right one. Your comment explains it where feedback is on.");
    }
  }

  // Keys that go on while they are held down.
  const goesOn = ({ key, shiftKey }) => key in SCROLL || (shiftKey && key.startsWith("Arrow"));

  return { Looking, goesOn };
})();
