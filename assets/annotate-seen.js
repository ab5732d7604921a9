// When a pair counts as seen: its images are drawn or have failed, and a moment has passed in which
// nobody can have looked at it. Shorter than that is the time between two letters of a hasty text.
// A key pressed before that was meant for the pair before, or for none; what follows it is text
// somebody goes on typing, so no letter counts until there is a pause.
window.StudioSeen = (() => {
  const MOMENT_MS = 400;
  const HINT_MS = 1800;
  const PAUSE_MS = 700;
  const AFTER_TEXT_MS = 350;
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const moment = () => new Promise((done) => setTimeout(done, MOMENT_MS));
  const EARLY = "Not counted: this pair has only just appeared";
  const TYPING = "Not counted: letters count again after a short pause";

  class Seen {
    // `work` carries data-seen while the pair on it may be judged, by a key too.
    constructor(work) {
      Object.assign(this, { work, card: null, drawn: false, quietUntil: 0 });
      this.hint = Object.assign(document.createElement("div"), { className: "an-early" });
      this.hint.setAttribute("role", "status");
      work.append(this.hint);
    }

    // Calls onSeen() when `card` may be judged, unless another pair came meanwhile.
    async watch(card, images, onSeen) {
      Object.assign(this, { card, drawn: false });
      this.mark();
      await images;
      await frame();
      await frame();
      if (this.card === card) onSeen();
      await moment();
      if (this.card !== card) return;
      this.drawn = true;
      this.mark();
    }

    mark() {
      clearTimeout(this.marking);
      const left = this.quietUntil - performance.now();
      this.work.toggleAttribute("data-seen", this.drawn && left <= 0);
      if (left > 0) this.marking = setTimeout(() => this.mark(), left);
    }

    // Whether the pair on show can have been looked at; says so on the page when not.
    judged() {
      if (this.drawn) return true;
      this.say(EARLY);
      this.quiet();
      return false;
    }

    // No letter counts until nothing was typed for a moment.
    quiet(how = PAUSE_MS) {
      this.quietUntil = Math.max(this.quietUntil, performance.now() + how);
      this.mark();
    }

    // A text was finished with Enter: whoever took that for a new line types on.
    afterText() {
      this.quiet(AFTER_TEXT_MS);
    }

    // Whether a letter is one of a text that somebody goes on typing.
    ignores() {
      if (performance.now() >= this.quietUntil) return false;
      this.say(TYPING);
      this.quiet();
      return true;
    }

    say(words) {
      this.hint.textContent = words;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => (this.hint.textContent = ""), HINT_MS);
    }
  }

  return { Seen };
})();
