// Marking wrong words without a mouse: M, then arrows from word to word, M or Enter to mark.
window.StudioMarking = (() => {
  const page = window.StudioPage;
  const text = window.StudioText;
  const HOW = "Marking: ← → word, ⇧ → more words, 1 2 answer, M marks, Esc ends.";

  class Marking {
    constructor(app) {
      Object.assign(this, { app, parts: app.parts, side: "", from: 0, to: 0 });
    }

    get on() {
      return this.side !== "";
    }

    start(side = "left") {
      Object.assign(this, { side, from: 0, to: 0 });
      page.notice(this.parts, HOW);
      this.show();
    }

    stop() {
      if (!this.on) return;
      this.side = "";
      getSelection().removeAllRanges();
      this.parts.notice.hidden = true;
    }

    show() {
      const place = this.parts[this.side].text;
      const words = text.pieces(place.textContent);
      if (!words.length) return;
      this.to = Math.max(0, Math.min(this.to, words.length - 1));
      this.from = Math.max(0, Math.min(this.from, this.to));
      text.select(place, words[this.from].start, words[this.to].end);
    }

    move(step, more) {
      this.to += step;
      if (!more) this.from = this.to;
      this.show();
    }

    // Whether the key belonged to marking.
    key(event) {
      const { key, shiftKey } = event;
      if (!this.on) return false;
      if (key === "Tab") return this.stop();
      event.preventDefault();
      if (key === "Escape") this.stop();
      else if (key === "ArrowRight") this.move(1, shiftKey);
      else if (key === "ArrowLeft") this.move(-1, shiftKey);
      else if (key === "1" || key === "2") this.start(key === "1" ? "left" : "right");
      else if (key === "Enter" || key.toLowerCase() === "m") {
        this.app.writing.mark();
        this.show();
      } else if (key.length === 1) this.app.seen.say("Not counted: Esc ends marking first");
      return true;
    }
  }

  return { Marking };
})();
