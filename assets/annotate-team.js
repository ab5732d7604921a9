// Adjudicating: one pair with its votes side by side, decided by keyboard.
window.StudioTeam = (() => {
  const { request, newKey } = window.StudioOutbox;
  const { Viewer } = window.StudioViewer;
  const { element, button } = window.StudioPanels;
  const { WORDS, plainKey, pressable, many } = window.StudioWords;
  const page = window.StudioPage;
  const KEYS = {
    1: "left", 2: "right", t: "tie", g: "both_good", b: "both_bad", x: "reopen", o: "gold",
    ArrowRight: "next", ArrowLeft: "first", c: "comment", "+": "zoom-in", "=": "zoom-in",
    "-": "zoom-out", 0: "zoom-fit", r: "rotate", " ": "full",
  };
  let team = null;

  const answerPanel = (parts, side, key) => {
    const name = side === "left" ? "A" : "B";
    const made = element("article", "an-answer", "", { "data-side": side });
    const head = element("header");
    const author = element("span", "tm-author");
    head.append(element("b", "", name), author);
    const shown = element("div", "an-text", "", { tabindex: "0", dir: "auto" });
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
      button("gold", "O", "Make gold"), button("next", "→", "Next"));
    side.append(parts.question, answers, actions);
    parts.work = element("div", "an-work");
    parts.work.append(page.imagePanel(parts), side);
    parts.head = element("div", "an-counts", "", { role: "status" });
    parts.votes = element("table", "tm-votes");
    parts.comment = element("input", "", "", {
      type: "text", maxlength: "4000", placeholder: "C: why (goes with your decision; Esc leaves)",
      "aria-label": "Comment",
    });
    const row = element("div", "an-row");
    row.append(parts.comment);
    parts.case = element("div", "tm-case", "", { hidden: "" });
    parts.case.append(parts.work, row, parts.votes);
    parts.empty = element("div", "empty", "", { hidden: "" });
    root.replaceChildren(parts.head, parts.case, parts.empty);
    return parts;
  };

  const wordsOf = (vote, card) => {
    const side = vote.winner_id === card.left.candidate_id ? "A" : "B";
    const said = vote.kind === "choose" ? `${side} ${vote.strength}`.trim() : WORDS[vote.kind];
    return [said, vote.flagged && "⚑", vote.informed && "(authors seen)"].filter(Boolean).join(" ");
  };

  const fillVotes = (table, { votes, card }) => {
    const row = (tag, cells) => {
      const made = element("tr");
      made.append(...cells.map((cell) => element(tag, "", cell)));
      return made;
    };
    const lines = votes.map((vote) => row("td", [
      vote.annotator, wordsOf(vote, card), [vote.reason, vote.comment].filter(Boolean).join(" · "),
      vote.edit || vote.ideal, vote.elapsed_ms === null ? "" : `${(vote.elapsed_ms / 1000).toFixed(1)} s`,
    ]));
    table.replaceChildren(row("th", ["Who", "Says", "Why", "Wrote", "Time"]), ...lines);
  };

  class Team {
    constructor(root) {
      Object.assign(this, { root, shown: null, dataset: "", decided: null });
      this.parts = build(root);
      this.viewer = new Viewer(this.parts.stage, this.parts.zoom);
      root.addEventListener("click", (event) => {
        const act = event.target.closest("[data-act]");
        if (act && event.detail < 2) this.act(act.dataset.act);
      });
      new IntersectionObserver((seen) => {
        if (seen.some((entry) => entry.isIntersecting) && !this.shown) this.next(0);
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
      if (name === "next") return this.next(this.shown?.card.pair_id ?? 0);
      if (name === "first") return this.next(0);
      if (name === "comment") return this.parts.comment.focus();
      if (!this.shown) return null;
      if (name === "gold") return this.gold();
      const winner = this.shown.card[name]?.candidate_id ?? null;
      return this.decide(winner ? "choose" : name, winner);
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
      this.parts.head.textContent = `Not saved. ${said}`;
      return null;
    }

    show(found) {
      const { parts } = this;
      this.shown = found;
      parts.case.hidden = !found;
      parts.empty.hidden = Boolean(found);
      if (!found) {
        parts.head.textContent = "";
        parts.empty.replaceChildren(element("b", "", "Nothing to decide"),
          "Pairs come here when people disagree, skip them too often, or flag them.");
        return;
      }
      const { card, authors, why, waiting } = found;
      parts.head.textContent = `Pair ${card.pair_id}: ${why} · ${many(waiting, "pair")} to decide`;
      page.fillQuestion(parts, card);
      for (const side of ["left", "right"]) {
        parts[side].text.textContent = card[side].text;
        parts[side].author.textContent = authors[card[side].candidate_id] || "";
      }
      parts.comment.value = "";
      fillVotes(parts.votes, found);
      this.viewer.show(card.images);
    }

    async decide(kind, winner) {
      const pair = this.shown.card.pair_id;
      const comment = this.parts.comment.value;
      const body = { key: newKey(), pair_id: pair, kind, winner_id: winner, comment };
      if (await this.ask("../team/decide", body)) await this.next(pair);
    }

    // The decision that stands, or the only answer given, becomes the known right one.
    async gold() {
      const { card, decided, votes } = this.shown;
      const [kind, winner] = decided ?? [votes[0]?.kind, votes[0]?.winner_id];
      if (!kind || kind === "skip" || kind === "unsure") {
        this.parts.head.textContent = "Decide the pair first, then make it gold.";
        return;
      }
      const body = { pair_id: card.pair_id, kind, winner_id: winner,
        explanation: this.parts.comment.value };
      const reply = await this.ask("../team/gold", body);
      if (reply) this.parts.head.textContent = `Pair ${card.pair_id} is gold now.`;
    }

    key(event) {
      if (event.key === "Escape" && event.target === this.parts.comment) return event.target.blur();
      if (event.target.closest?.("input, textarea, select, [contenteditable=true]")) return;
      if (event.key === "Escape" && this.viewer.isFull) return this.viewer.full(false);
      const name = plainKey(event);
      if (name === " " && pressable(event.target)) return;
      const act = KEYS[name];
      if (!act) return;
      event.preventDefault();
      this.act(act);
    }
  }

  document.addEventListener("keydown", (event) => {
    if (!team?.visible || event.repeat || event.isComposing || event.keyCode === 229) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    team.key(event);
  });

  return {
    attach(root) {
      if (team?.root !== root) team = new Team(root);
    },
    choose(dataset) {
      if (!team) return;
      team.dataset = dataset ?? "";
      team.next(0);
    },
  };
})();
