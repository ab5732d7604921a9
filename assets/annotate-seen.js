// When a pair counts as seen: its images are drawn or have failed, and a moment has passed.
// A key pressed before that was meant for the pair before, or for none.
window.StudioSeen = (() => {
  const MOMENT_MS = 80;
  const HINT_MS = 1800;
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const moment = () => new Promise((done) => setTimeout(done, MOMENT_MS));
  const JUDGING = ["left", "right", "left-slightly", "right-slightly", "left-clearly",
    "right-clearly", "tie", "both_good", "both-bad", "unsure", "skip"];

  class Seen {
    // `work` carries data-seen once the pair on it may be judged.
    constructor(work) {
      Object.assign(this, { work, card: null });
      this.hint = Object.assign(document.createElement("div"), { className: "an-early" });
      this.hint.setAttribute("role", "status");
      work.append(this.hint);
    }

    // Calls onSeen() when `card` may be judged, unless another pair came meanwhile.
    async watch(card, images, onSeen) {
      this.card = card;
      delete this.work.dataset.seen;
      await images;
      await frame();
      await frame();
      if (this.card === card) onSeen();
      await moment();
      if (this.card === card) this.work.dataset.seen = "";
    }

    // Whether `act` would judge a pair nobody can have looked at; says so on the page.
    tooEarly(act) {
      if (!JUDGING.includes(act) || this.work.hidden || "seen" in this.work.dataset) return false;
      this.hint.textContent = "Not counted: this pair has only just appeared";
      clearTimeout(this.timer);
      this.timer = setTimeout(() => (this.hint.textContent = ""), HINT_MS);
      return true;
    }
  }

  return { Seen };
})();
