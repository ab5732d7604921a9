// Looking back through one's answers, at the guidelines, at the keys, at differences.
window.StudioLooking = (() => {
  const { request } = window.StudioOutbox;
  const page = window.StudioPage;
  const text = window.StudioText;
  const MOST = 200;

  class Looking {
    constructor(app) {
      Object.assign(this, { app, parts: app.parts, review: null });
    }

    actions() {
      return {
        back: () => this.step(1),
        forward: () => this.step(-1),
        help: () => this.parts.help.showModal(),
        "help-close": () => this.parts.help.close(),
        guidelines: () => this.guidelines(),
        differences: () => this.differences(),
      };
    }

    stop() {
      this.review = null;
    }

    async step(step) {
      if (!this.review) {
        if (step < 0) return;
        const reply = await request(`history?limit=${MOST}`).catch(() => null);
        if (!reply?.ok) return page.notice(this.parts, "Your answers cannot be read just now.");
        const pairs = reply.json.entries.filter((entry) => entry.current).map((e) => e.pair_id);
        this.review = { pairs, at: -1 };
      }
      const at = this.review.at + step;
      if (at >= this.review.pairs.length) return;
      if (at < 0) return this.backToWork();
      this.review.at = at;
      await this.at(this.review.pairs[at]);
    }

    async at(pair) {
      const reply = await request(`card/${pair}`).catch(() => null);
      if (!reply?.ok) return page.notice(this.parts, "That pair cannot be read just now.");
      const { app } = this;
      if (app.shown && !app.shown.current) app.held ??= app.shown;
      this.parts.notice.hidden = true;
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
    }
  }

  return { Looking };
})();
