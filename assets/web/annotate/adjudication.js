// Adjudicating: one pair with its votes side by side, decided by keyboard.
window.StudioTeam = (() => {
  const { request, newKey } = window.StudioOutbox;
  const { Viewer } = window.StudioViewer;
  const { Seen } = window.StudioSeen;
  const { element, button } = window.StudioPanels;
  const { WORDS, plainKey, pressable, many } = window.StudioWords;
  const page = window.StudioPage;
  const text = window.StudioText;
  const KEYS = {
    1: "left", 2: "right", t: "tie", g: "both_good", b: "both_bad", x: "reopen", o: "gold",
    ArrowRight: "next", ArrowLeft: "back", z: "back", c: "comment", "+": "zoom-in", "=": "zoom-in",
    "-": "zoom-out", 0: "zoom-fit", r: "rotate", " ": "full",
  };
  const LATE = "Not counted: what was pressed before is not done yet";
  const NO_CASE = "Not counted: there is no pair to decide";
  let team = null;
  // The dataset chosen above, also before Decide was first opened; all of them with an empty name.
  let chosen = "";

  const answerPanel = (parts, side, key) => {
    const name = side === "left" ? "A" : "B";
    const made = element("article", "an-answer", "", { "data-side": side });
    const head = element("header");
    const author = element("span", "tm-author");
    head.append(element("b", "", name), author);
    const shown = element("div", "an-text", "", {
      tabindex: "0", dir: "auto", role: "region", "aria-label": `Answer ${name}`,
    });
    made.append(head, shown, button(side, key, `${name} is better`, "choose"));
    parts[side] = { text: shown, author, panel: made };
    return made;
  };

  const build = (root) => {
    const parts = {};
    const side = element("section", "an-side");
    parts.question = element("div", "an-question", "", { dir: "auto" });
    const answers = element("div", "an-answers");
    answers.append(answerPanel(parts, "left", "1"), answerPanel(parts, "right", "2"));
    const actions = element("div", "an-actions");
    actions.append(button("tie", "T", "Tie"), button("both_good", "G", "Both good"),
      button("both_bad", "B", "Both bad"), button("reopen", "X", "Reopen"),
      button("gold", "O", "Make gold"), button("back", "←", "Back"), button("next", "→", "Next"));
    parts.actions = actions;
    side.append(parts.question, answers, actions);
    parts.work = element("div", "an-work");
    parts.votes = element("table", "tm-votes");
    const said = element("div", "tm-said", "", { tabindex: "0", role: "region", "aria-label": "Votes" });
    said.append(parts.votes);
    const look = element("div", "tm-look");
    look.append(page.imagePanel(parts), said);
    parts.work.append(look, side);
    parts.head = element("div", "an-counts", "", { role: "status" });
    parts.told = element("div", "tm-told", "", { role: "alert", hidden: "" });
    parts.comment = element("input", "", "", {
      type: "text", maxlength: "4000", placeholder: "C: why (goes with your decision; Enter leaves the field)",
      "aria-label": "Comment",
    });
    const row = element("div", "an-row");
    row.append(parts.comment);
    parts.case = element("div", "tm-case", "", { hidden: "" });
    parts.case.append(parts.work, row);
    parts.empty = element("div", "empty", "", { hidden: "" });
    root.replaceChildren(parts.head, parts.told, parts.case, parts.empty);
    return parts;
  };

  const NAMES = { left: "A", right: "B" };
  const wordsOf = (vote) => {
    const said = vote.kind === "choose" ? `${NAMES[vote.winner]} ${vote.strength}`.trim() : WORDS[vote.kind];
    return [said, vote.flagged && "⚑", vote.informed && "(authors seen)"].filter(Boolean).join(" ");
  };

  // What else somebody judged: aspects, and the words they marked as wrong.
  const detailsOf = ({ aspects, spans }, card) => {
    const judged = Object.entries(aspects).map(([name, best]) => `${name}: ${NAMES[best] ?? "="}`);
    const marked = spans.map(({ side, start, end }) =>
      `wrong in ${NAMES[side]}: “${card[side].text.slice(start, end)}”`);
    return [...judged, ...marked];
  };

  const fillVotes = (table, { votes, card }) => {
    const row = (tag, cells) => {
      const made = element("tr");
      made.append(...cells.map((cell) => element(tag, "", cell)));
      return made;
    };
    const lines = votes.map((vote) => row("td", [
      vote.annotator, wordsOf(vote), [vote.reason, vote.comment, ...detailsOf(vote, card)].filter(Boolean).join(" · "),
      vote.edit || vote.ideal, vote.elapsed_ms === null ? "" : `${(vote.elapsed_ms / 1000).toFixed(1)} s`,
    ]));
    table.replaceChildren(row("th", ["Who", "Says", "Why", "Wrote", "Time"]), ...lines);
  };

  class Team {
    constructor(root, dataset) {
      Object.assign(this, { root, shown: null, dataset, past: [], comments: new Map(),
        turn: Promise.resolve(), onTheirWay: 0 });
      this.parts = build(root);
      this.viewer = new Viewer(this.parts.stage, this.parts.zoom);
      this.seen = new Seen(this.parts.work, root);
      this.long = [this.parts.question, this.parts.left.text, this.parts.right.text];
      for (const place of this.long) page.watchMore(place);
      root.addEventListener("click", (event) => {
        const act = event.target.closest("[data-act]");
        if (act && event.detail < 2) this.act(act.dataset.act);
      });
      new IntersectionObserver((seen) => {
        const there = seen.some((entry) => entry.isIntersecting);
        if (there && !this.shown) this.inTurn(() => this.next(0));
      }).observe(root);
    }

    get visible() {
      return this.root.isConnected && this.root.getClientRects().length > 0 && !document.hidden;
    }

    act(name) {
      const zooms = {
        "zoom-in": () => this.viewer.zoomBy(1), "zoom-out": () => this.viewer.zoomBy(-1),
        "zoom-fit": () => this.viewer.zoomTo(1), rotate: () => this.viewer.rotate(),
        full: () => this.viewer.full(),
      };
      if (zooms[name]) return zooms[name]();
      if (name === "next") return this.inTurn(() => this.leave());
      if (name === "back") return this.inTurn(() => this.back());
      // What is pressed now is meant for the pair that goes.
      if (this.onTheirWay) return this.seen.missed(LATE);
      if (!this.shown) return this.seen.missed(NO_CASE);
      if (name === "comment") return this.parts.comment.focus();
      if (name === "gold") return this.inTurn(() => this.gold());
      if (!this.seen.judged()) return null;
      const decision = name in NAMES ? ["choose", name] : [name, null];
      return this.inTurn(() => this.decide(...decision));
    }

    // One request after the other: of two at once, the slower reply would show its case last.
    async inTurn(step) {
      this.tell("");
      this.onTheirWay += 1;
      const before = this.turn;
      this.turn = before.then(step, step);
      try {
        return await this.turn;
      } finally {
        this.onTheirWay -= 1;
      }
    }

    // On to the next case; the way back is kept.
    leave() {
      const pair = this.shown?.card.pair_id ?? 0;
      if (pair) this.past.push(pair);
      this.comments.set(pair, this.parts.comment.value);
      return this.next(pair);
    }

    // Cases of another dataset. The one on show goes at once: were there no reply, a key would
    // decide a pair of the dataset that was left.
    turnTo(dataset) {
      const { parts } = this;
      this.dataset = dataset;
      return this.inTurn(() => {
        this.keepComment();
        this.shown = null;
        parts.case.hidden = parts.empty.hidden = true;
        parts.head.textContent = "";
        return this.next(0);
      });
    }

    // The case looked at before, decided or not: to look again, or to decide otherwise.
    async back() {
      const pair = this.past.pop();
      if (!pair) return this.next(0);
      const reply = await this.ask(`../team/case/${pair}`);
      return reply ? this.show(reply.case) : this.past.push(pair);
    }

    async next(after) {
      const dataset = this.dataset ? `&dataset=${encodeURIComponent(this.dataset)}` : "";
      const reply = await this.ask(`../team/case?after=${after}${dataset}`);
      if (!reply) return;
      if (!reply.case && after) return this.next(0);
      this.show(reply.case);
    }

    async ask(path, body) {
      const reply = await request(path, body).catch(() => null);
      if (reply?.ok) return reply.json;
      const said = reply ? `${reply.json.message ?? ""} ${reply.json.remedy ?? ""}` : "No connection.";
      if (reply?.status === 409 && body) await this.lookAgain(body.pair_id);
      this.tell(`${body && reply?.status !== 409 ? "Not saved. " : ""}${said}`);
      return null;
    }

    // Somebody else decided meanwhile: their decision is shown, and what was typed stays. A key
    // counts once it can have been looked at.
    async lookAgain(pair) {
      const reply = await request(`../team/case/${pair}`).catch(() => null);
      if (!reply?.ok || this.shown?.card.pair_id !== pair) return;
      this.keepComment();
      this.show(reply.json.case, true);
    }

    keepComment() {
      if (this.shown) this.comments.set(this.shown.card.pair_id, this.parts.comment.value);
    }

    tell(said) {
      this.parts.told.textContent = said;
      this.parts.told.hidden = !said;
    }

    show(found, unseen = false) {
      const { parts } = this;
      const again = found && this.shown?.card.pair_id === found.card.pair_id;
      this.shown = found;
      parts.case.hidden = !found;
      parts.empty.hidden = Boolean(found);
      if (!found) {
        parts.head.textContent = "";
        parts.empty.replaceChildren(element("b", "", "Nothing to decide"),
          "Pairs come here when people disagree, skip them too often, or flag them.");
        if (this.past.length) parts.empty.append(button("back", "←", "Back to the last pair"));
        return;
      }
      const { card, authors, why, waiting, decided, decided_by: lead, gold, votes } = found;
      const verdict = decided && { kind: decided[0], winner: decided[1], strength: "" };
      const by = lead === window.StudioConnection.user ? "" : ` by ${lead}`;
      const known = [verdict ? `decided${by}: ${wordsOf(verdict)}` : why, gold && "gold",
        `${many(waiting, "pair")} to decide`];
      parts.head.textContent = `Pair ${card.pair_id}: ${known.filter(Boolean).join(" · ")}`;
      parts.actions.querySelector("[data-act=reopen]").hidden = !decided;
      parts.actions.querySelector("[data-act=gold] span").textContent = gold ? "No longer gold" : "Make gold";
      page.fillQuestion(parts, card);
      for (const [index, side] of ["left", "right"].entries()) {
        const spans = votes.flatMap((vote) => vote.spans).filter((span) => span.side === side);
        text.plain(parts[side].text, card[side].text, spans, []);
        parts[side].author.textContent = authors[index] ?? "";
      }
      parts.comment.value = this.comments.get(card.pair_id) ?? "";
      fillVotes(parts.votes, found);
      for (const place of this.long) page.markMore(place);
      const drawn = this.viewer.show(card.images);
      if (!again || unseen) this.seen.watch(card, drawn, () => null);
    }

    async decide(kind, winner) {
      const { card: { pair_id: pair, showing }, version } = this.shown;
      const comment = this.parts.comment.value;
      const body = { key: newKey(), pair_id: pair, showing, kind, winner, comment, version };
      if (!(await this.ask("../team/decide", body))) return;
      // What was typed after that goes with no decision yet.
      if (this.parts.comment.value !== comment) this.keepComment();
      this.past.push(pair);
      await this.next(pair);
    }

    // The decision that stands, or the one answer everybody gave, becomes the known right one.
    async gold() {
      const { card, decided, votes, gold, gold_version } = this.shown;
      const given = new Set(votes.map(({ kind, winner }) => `${kind} ${winner}`));
      const [kind, winner] = decided ?? (given.size === 1 ? [votes[0].kind, votes[0].winner] : []);
      if (!gold && (!kind || kind === "skip" || kind === "unsure")) {
        this.tell("Decide the pair, go back to it with ←, then make it gold.");
        return;
      }
      const told = { pair_id: card.pair_id, gold_version };
      const made = { ...told, showing: card.showing, kind, winner,
        explanation: this.parts.comment.value.slice(0, 2000) };
      const reply = await this.ask("../team/gold", gold ? told : made);
      this.keepComment();
      if (reply) this.show(reply.case);
    }

    key(event) {
      const leaves = event.key === "Escape" || event.key === "Enter";
      if (leaves && event.target === this.parts.comment) {
        if (event.key === "Enter") this.seen.afterText();
        return event.target.blur();
      }
      if (event.target.closest?.("input, textarea, select, [contenteditable=true]")) return;
      if (event.key === "Escape" && this.viewer.isFull) return this.viewer.full(false);
      const name = plainKey(event);
      if (name === " " && pressable(event.target)) return;
      const act = KEYS[name];
      if (name.length === 1 && this.seen.ignores(name, act && (() => this.act(act)))) {
        return event.preventDefault();
      }
      if (!act) return name.length === 1 && this.seen.quiet();
      event.preventDefault();
      return this.act(act);
    }
  }

  document.addEventListener("keydown", (event) => {
    if (!team?.visible || event.repeat || event.isComposing || event.keyCode === 229) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!document.querySelector("dialog[open]")) team.key(event);
  });

  return {
    attach(root) {
      if (team?.root !== root) team = new Team(root, chosen);
    },
    choose(dataset) {
      chosen = dataset ?? "";
      team?.turnTo(chosen);
    },
  };
})();
