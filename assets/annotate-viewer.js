// The images of a pair: side by side, fitted, zoomed around the pointer, moved by dragging.
window.StudioViewer = (() => {
  const STEPS = 1.25;
  const [LEAST, MOST] = [1, 12];
  const address = (sha, kind = "images") => new URL(`studio/${kind}/${sha}`, document.baseURI).href;
  const ahead = new Map();

  // Images of the next pairs, held so that the browser keeps them decoded.
  const prefetch = (hashes) => {
    for (const known of ahead.keys()) if (!hashes.includes(known)) ahead.delete(known);
    for (const sha of hashes) {
      if (ahead.has(sha)) continue;
      const image = new Image();
      image.src = address(sha);
      ahead.set(sha, image);
    }
  };

  class Viewer {
    constructor(stage, label) {
      Object.assign(this, { stage, label, zoom: 1, x: 0, y: 0, turn: 0 });
      stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
      stage.addEventListener("pointerdown", (event) => this.grab(event));
      stage.addEventListener("dblclick", (event) =>
        this.zoomTo(this.zoom > 1 ? 1 : 3, event.clientX, event.clientY));
    }

    // The promise is kept when every image can be drawn, or cannot be had.
    show(hashes) {
      this.stage.replaceChildren(...hashes.map((sha, index) => this.figure(sha, index, hashes)));
      this.stage.dataset.count = Math.min(hashes.length, 4);
      this.rotate(-this.turn);
      this.zoomTo(1);
      const images = [...this.stage.querySelectorAll("img")];
      return Promise.allSettled(images.map((image) => image.decode()));
    }

    figure(sha, index, hashes) {
      const figure = document.createElement("figure");
      const image = document.createElement("img");
      image.alt = hashes.length > 1 ? `Image ${index + 1} of ${hashes.length}` : "The image";
      image.draggable = false;
      image.addEventListener("error", () => {
        figure.textContent = "This image is missing from the workspace. Import its dataset again.";
        figure.classList.add("missing");
      });
      image.src = address(sha);
      figure.append(image);
      return figure;
    }

    // Quarter turns; an image on its side is scaled to the place there is.
    rotate(turns = 1) {
      this.turn = (this.turn + turns + 4) % 4;
      for (const image of this.stage.querySelectorAll("img")) {
        const { width, height } = image.parentElement.getBoundingClientRect();
        const fit = this.turn % 2 ? Math.min(width / height, height / width) : 1;
        image.style.transform = this.turn ? `rotate(${90 * this.turn}deg) scale(${fit})` : "";
      }
    }

    // The images alone, over everything else.
    full(on = !this.stage.parentElement.classList.contains("an-full")) {
      this.stage.parentElement.classList.toggle("an-full", on);
      this.zoomTo(1);
      return on;
    }

    get isFull() {
      return this.stage.parentElement.classList.contains("an-full");
    }

    zoomBy(steps) {
      this.zoomTo(this.zoom * STEPS ** steps);
    }

    // Keeps the point of the image under (clientX, clientY), or the centre, where it is.
    zoomTo(zoom, clientX, clientY) {
      const box = this.stage.getBoundingClientRect();
      const before = this.zoom;
      this.zoom = Math.min(MOST, Math.max(LEAST, zoom));
      const dx = clientX === undefined ? 0 : clientX - box.left - box.width / 2;
      const dy = clientY === undefined ? 0 : clientY - box.top - box.height / 2;
      const ratio = this.zoom / before;
      this.moveTo(dx - (dx - this.x) * ratio, dy - (dy - this.y) * ratio);
    }

    moveTo(x, y) {
      const box = this.stage.getBoundingClientRect();
      const [freeX, freeY] = [box.width, box.height].map((side) => (side * (this.zoom - 1)) / 2);
      this.x = Math.min(freeX, Math.max(-freeX, x));
      this.y = Math.min(freeY, Math.max(-freeY, y));
      this.stage.style.setProperty("--zoom", this.zoom);
      this.stage.style.setProperty("--x", `${this.x}px`);
      this.stage.style.setProperty("--y", `${this.y}px`);
      this.stage.classList.toggle("zoomed", this.zoom > 1);
      this.label.textContent = `${Math.round(this.zoom * 100)} %`;
    }

    wheel(event) {
      if (!event.ctrlKey && this.zoom === 1 && Math.abs(event.deltaY) < 1) return;
      event.preventDefault();
      this.zoomTo(this.zoom * STEPS ** (-event.deltaY / 100), event.clientX, event.clientY);
    }

    grab(event) {
      if (this.zoom === 1 || event.button !== 0) return;
      event.preventDefault();
      const start = { x: this.x - event.clientX, y: this.y - event.clientY };
      const move = (at) => this.moveTo(start.x + at.clientX, start.y + at.clientY);
      this.stage.setPointerCapture(event.pointerId);
      this.stage.addEventListener("pointermove", move);
      const release = () => this.stage.removeEventListener("pointermove", move);
      this.stage.addEventListener("pointerup", release, { once: true });
      this.stage.addEventListener("pointercancel", release, { once: true });
    }
  }

  return { Viewer, prefetch };
})();
