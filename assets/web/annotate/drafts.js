// What has been written about the pair on show and not yet sent; kept in this browser until it is.
window.StudioDraft = (() => {
  const EMPTY = {
    reason: "", comment: "", ideal: "", edit: "", side: "", flagged: false, aspects: {}, spans: [],
  };

  // Marks and aspects of an earlier version named answers, not sides; nobody can tell which.
  const bySide = (draft) => {
    if (draft.spans?.some(({ side }) => !side)) delete draft.spans;
    if (Object.values(draft.aspects ?? {}).some((best) => typeof best !== "string")) delete draft.aspects;
    return draft;
  };

  class Draft {
    constructor(owner, pair, current) {
      this.name = `studio-draft/${owner}/${pair}`;
      Object.assign(this, structuredClone(EMPTY), this.answered(current), this.stored());
    }

    // The answer given before, so that answering again keeps what was written with it.
    answered(current) {
      if (!current) return {};
      const { comment, ideal, flagged, aspects, spans } = current;
      return { comment, ideal, flagged, aspects: { ...aspects }, spans: [...spans] };
    }

    stored() {
      try {
        return bySide(JSON.parse(localStorage.getItem(this.name)) ?? {});
      } catch {
        return {};
      }
    }

    keep() {
      const { name, ...values } = this;
      try {
        localStorage.setItem(name, JSON.stringify(values));
      } catch {
        // The answer itself still goes out; only a closed tab would lose this text.
      }
    }

    forget() {
      localStorage.removeItem(this.name);
    }

    get written() {
      return Boolean(this.reason || this.comment || this.ideal || this.edit);
    }

    // What goes along with an answer.
    body() {
      const { comment, ideal, flagged, aspects, spans } = this;
      return { comment, ideal, flagged, aspects, spans };
    }

    // An answer that was refused: everything typed is a draft again.
    static restore(owner, { pair_id, reason, comment, ideal, edit, flagged, aspects, spans }) {
      const draft = new Draft(owner, pair_id, null);
      const values = { reason, comment, ideal, edit, flagged, aspects, spans };
      for (const [name, value] of Object.entries(values)) if (value) draft[name] = value;
      draft.keep();
    }
  }

  return { Draft };
})();
