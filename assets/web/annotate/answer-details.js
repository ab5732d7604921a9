// What goes with an answer: reasons to skip, texts, flags, marked pieces, aspects.
window.StudioWriting = (() => {
  const { REASONS, EDITORS, plainKey } = window.StudioWords;
  const page = window.StudioPage;
  const text = window.StudioText;
  const SLOTS = { edit: "edit", ideal: "ideal", bad: "ideal", comment: "comment" };

  class Writing {
    constructor(app) {
      Object.assign(this, { app, parts: app.parts, open: "", picking: false });
      const { parts } = this;
      parts.skip.addEventListener("submit", (event) => this.submitted(event, "skip-send"));
      parts.editor.addEventListener("submit", (event) => this.submitted(event, "editor-save"));
      parts.reason.addEventListener("input", () => this.keep("reason", parts.reason.value));
      parts.editorText.addEventListener("input", () =>
        this.keep(SLOTS[this.open], parts.editorText.value));
    }

    actions() {
      const acts = {
        skip: () => this.openSkip(),
        "skip-reason": (element) => this.skip(element.dataset.reason),
        "skip-send": () => this.skip(this.parts.reason.value.trim()),
        "skip-cancel": () => this.close(),
        edit: () => this.pick(),
        ideal: () => this.write("ideal"),
        comment: () => this.write("comment"),
        "both-bad": () => this.write("bad"),
        "editor-save": () => this.save(),
        "editor-cancel": () => this.close(),
        flag: () => this.change((draft) => (draft.flagged = !draft.flagged)),
        mark: () => this.mark(),
      };
      for (let index = 0; index < 6; index += 1) {
        acts[`aspect-${index}`] = () => this.judge(index);
      }
      return acts;
    }

    submitted(event, act) {
      event.preventDefault();
      this.app.act(act);
    }

    keep(slot, value) {
      if (!this.app.shown || !slot) return;
      this.app.draft[slot] = value;
      this.app.draft.keep();
    }

    change(how) {
      if (!this.app.shown) return;
      how(this.app.draft);
      this.app.redraw();
    }

    // The focus goes back to where it was before the panel opened.
    close() {
      this.picking = false;
      this.open = "";
      for (const panel of [this.parts.skip, this.parts.editor]) {
        const within = panel.contains(document.activeElement);
        panel.hidden = true;
        if (within) page.focus(this.parts, this.opener);
      }
      this.parts.root.classList.remove("picking");
    }

    show(panel, field) {
      this.opener = document.activeElement;
      panel.hidden = false;
      field.focus();
    }

    openSkip() {
      if (!this.app.shown) return;
      this.close();
      this.parts.reason.value = this.app.draft.reason;
      this.show(this.parts.skip, this.parts.skip.querySelector("button"));
    }

    skip(reason) {
      if (!reason) return this.parts.reason.focus();
      this.app.answer("skip", null, { reason });
    }

    // E, then 1 or 2: which answer is better and to be improved.
    pick() {
      if (!this.app.shown) return;
      this.close();
      this.picking = true;
      this.parts.root.classList.add("picking");
      page.notice(this.parts, "Which answer do you improve? Press 1 or 2, or its button.");
    }

    choose(side) {
      if (!this.picking) return false;
      this.parts.notice.hidden = true;
      this.write("edit", side);
      return true;
    }

    write(what, side = "") {
      const { app, parts } = this;
      if (!app.shown) return;
      this.close();
      this.open = what;
      this.side = side;
      const fresh = what === "edit" && app.draft.side !== side;
      if (fresh) Object.assign(app.draft, { side, edit: app.shown[side].text });
      const { title, save, placeholder } = EDITORS[what];
      parts.editorTitle.textContent = what === "edit" ? `${title} (${side === "left" ? "A" : "B"})`
        : title;
      parts.editorText.setAttribute("aria-label", parts.editorTitle.textContent);
      parts.editorSave.querySelector("span").textContent = save;
      parts.editorText.placeholder = placeholder;
      parts.editorText.value = app.draft[SLOTS[what]];
      this.show(parts.editor, parts.editorText);
    }

    save() {
      const { app, open, side } = this;
      const value = this.parts.editorText.value;
      if (open === "bad") return app.answer("both_bad", null, { ideal: value });
      if (open === "edit") {
        return app.answer("choose", side, { edit: value === app.shown[side].text ? "" : value });
      }
      this.keep(SLOTS[open], value);
      this.close();
      return app.redraw();
    }

    // The selected words of an answer are wrong; selecting inside a mark takes it away.
    mark() {
      const { app, parts } = this;
      if (!app.shown) return;
      const side = ["left", "right"].find((one) => text.selected(parts[one].text));
      if (app.shown.markdown) {
        // Places are counted in the text as it was written, so it is shown that way.
        app.shown.markdown = false;
        app.redraw();
        return app.marking.start(side);
      }
      if (!side) return app.marking.start();
      const piece = text.selected(parts[side].text);
      const touches = (span) => span.side === side &&
        span.start < piece.end && piece.start < span.end;
      getSelection().removeAllRanges();
      this.change((draft) => {
        const touched = draft.spans.some(touches);
        draft.spans = draft.spans.filter((span) => !touches(span));
        if (!touched) draft.spans.push({ side, ...piece });
      });
    }

    // –, A, B, both alike, and – again.
    judge(index) {
      const card = this.app.shown;
      const aspect = card?.aspects[index];
      if (!aspect) return this.app.seen.missed(`Not counted: nothing is judged with ${index + 4} here`);
      const steps = [undefined, "left", "right", ""];
      this.change(({ aspects }) => {
        const next = steps[(steps.indexOf(aspects[aspect]) + 1) % steps.length];
        if (next === undefined) delete aspects[aspect];
        else aspects[aspect] = next;
      });
    }

    // Enter, with or without Ctrl: what the open panel is for.
    commit(event) {
      if (!this.open && this.parts.skip.hidden) return;
      event.preventDefault();
      if (this.open) this.save();
      else this.skip(this.parts.reason.value.trim());
      // With Ctrl it was no new line.
      if (!event.ctrlKey && !event.metaKey) this.app.seen.afterText();
    }

    // A letter that an open panel keeps from the pair.
    isOpen(event, what) {
      const name = plainKey(event);
      if (name.length === 1 && name !== " ") this.app.seen.say(`Not counted: the ${what} is open; Esc closes it`);
    }

    // Whether the key was for an open panel.
    key(event) {
      const skipping = !this.parts.skip.hidden;
      if (event.key === "Escape" && (skipping || this.open || this.picking)) {
        this.parts.notice.hidden = true;
        this.close();
        return true;
      }
      if (this.open) {
        if (event.key === "Enter" && !event.shiftKey && event.target === this.parts.editorText) {
          this.commit(event);
        } else if (event.target !== this.parts.editorText) this.isOpen(event, "editor");
        return true;
      }
      if (!skipping || event.target === this.parts.reason) return skipping;
      const reason = REASONS[Number(plainKey(event)) - 1];
      if (reason) this.skip(reason);
      else this.isOpen(event, "list of reasons");
      return true;
    }
  }

  return { Writing };
})();
