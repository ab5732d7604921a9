// The images of a pair: side by side, fitted, zoomed around the pointer, moved by dragging.
const STEPS = 1.25;
const [LEAST, MOST] = [1, 12];
/** @type {Readonly<Record<string, [number, number]>>} */
const PAN = { ArrowLeft: [-80, 0], ArrowRight: [80, 0], ArrowUp: [0, -80], ArrowDown: [0, 80] };
/** @param {string} sha */
const address = (sha) => new URL(`studio/images/${sha}`, document.baseURI).href;
/** @param {HTMLElement} element */
const parentOf = (element) => /** @type {HTMLElement} */ (element.parentElement);
/** @type {Map<string, HTMLImageElement>} */
const ahead = new Map();

/**
 * Fetches images of the next pairs, and holds them so that the browser keeps them decoded.
 *
 * @param {string[]} hashes
 */
export const prefetch = (hashes) => {
  for (const known of ahead.keys()) if (!hashes.includes(known)) ahead.delete(known);
  for (const sha of hashes) {
    if (ahead.has(sha)) continue;
    const image = new Image();
    image.src = address(sha);
    ahead.set(sha, image);
  }
};

export class Viewer {
  /**
   * @param {HTMLElement} stage holds the images; its parent is the frame they are zoomed in
   * @param {HTMLElement} label says the zoom
   */
  constructor(stage, label) {
    this.stage = stage;
    this.label = label;
    this.zoom = 1;
    this.x = 0;
    this.y = 0;
    this.turn = 0;
    /** @type {Map<number, PointerEvent>} */
    this.held = new Map();
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.grab(event));
    stage.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
      stage.addEventListener(end, (event) => this.held.delete(event.pointerId));
    }
    stage.addEventListener("dblclick", (event) =>
      this.zoomTo(this.zoom > 1 ? 1 : 3, event.clientX, event.clientY));
  }

  /**
   * Shows the images of a pair, fitted and unrotated. The promise is kept when every image can be
   * drawn, or cannot be had.
   *
   * @param {string[]} hashes
   */
  show(hashes) {
    this.stage.replaceChildren(...hashes.map((sha, index) => this.figure(sha, index, hashes)));
    this.stage.dataset.count = String(Math.min(hashes.length, 4));
    this.rotate(-this.turn);
    this.zoomTo(1);
    return Promise.allSettled(this.images.map((image) => image.decode()));
  }

  get images() {
    return Array.from(this.stage.querySelectorAll("img"));
  }

  /**
   * @param {string} sha
   * @param {number} index
   * @param {string[]} hashes
   */
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

  /** Rotates by quarter turns; an image on its side is scaled to the place there is. */
  rotate(turns = 1) {
    this.turn = (this.turn + turns + 4) % 4;
    for (const image of this.images) {
      const { width, height } = parentOf(image).getBoundingClientRect();
      const fit = this.turn % 2 ? Math.min(width / height, height / width) : 1;
      image.style.transform = this.turn ? `rotate(${90 * this.turn}deg) scale(${fit})` : "";
    }
  }

  /** Shows the images alone, over everything else, or no longer. */
  full(on = !this.isFull) {
    parentOf(this.stage).classList.toggle("an-full", on);
    this.zoomTo(1);
    return on;
  }

  get isFull() {
    return parentOf(this.stage).classList.contains("an-full");
  }

  /** Where the stage would be without zoom. */
  get frame() {
    return parentOf(this.stage).getBoundingClientRect();
  }

  /** @param {number} steps */
  zoomBy(steps) {
    this.zoomTo(this.zoom * STEPS ** steps);
  }

  /**
   * Zooms and keeps the point of the image under (clientX, clientY), or the centre, where it is.
   *
   * @param {number} zoom
   * @param {number} [clientX]
   * @param {number} [clientY]
   */
  zoomTo(zoom, clientX, clientY) {
    const box = this.frame;
    const before = this.zoom;
    this.zoom = Math.min(MOST, Math.max(LEAST, zoom));
    const dx = clientX === undefined ? 0 : clientX - box.left - box.width / 2;
    const dy = clientY === undefined ? 0 : clientY - box.top - box.height / 2;
    const ratio = this.zoom / before;
    this.moveTo(dx - (dx - this.x) * ratio, dy - (dy - this.y) * ratio);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  moveTo(x, y) {
    const box = this.frame;
    const [freeX, freeY] = [box.width, box.height].map((side) => (side * (this.zoom - 1)) / 2);
    this.x = Math.min(freeX, Math.max(-freeX, x));
    this.y = Math.min(freeY, Math.max(-freeY, y));
    this.stage.style.setProperty("--zoom", String(this.zoom));
    this.stage.style.setProperty("--x", `${this.x}px`);
    this.stage.style.setProperty("--y", `${this.y}px`);
    this.stage.classList.toggle("zoomed", this.zoom > 1);
    this.label.textContent = `${Math.round(this.zoom * 100)} %`;
  }

  /**
   * Moves one step by an arrow key, towards where it points.
   *
   * @param {string} key
   */
  pan(key) {
    const [x, y] = PAN[key];
    this.moveTo(this.x - x, this.y - y);
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (!event.ctrlKey && this.zoom === 1 && Math.abs(event.deltaY) < 1) return;
    event.preventDefault();
    this.zoomTo(this.zoom * STEPS ** (-event.deltaY / 100), event.clientX, event.clientY);
  }

  /**
   * The mouse or a finger moves what is zoomed; two fingers zoom around the middle between them.
   *
   * @param {PointerEvent} event
   */
  grab(event) {
    if (event.button !== 0) return;
    if (event.pointerType === "mouse" || this.zoom > 1) event.preventDefault();
    this.held.set(event.pointerId, event);
    this.stage.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const before = this.held.get(event.pointerId);
    if (!before) return;
    this.held.set(event.pointerId, event);
    const other = [...this.held.values()].find((one) => one.pointerId !== event.pointerId);
    if (!other) {
      this.moveTo(this.x + event.clientX - before.clientX, this.y + event.clientY - before.clientY);
      return;
    }
    /** @param {PointerEvent} one */
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const ratio = apart(event) / Math.max(1, apart(before));
    this.zoomTo(this.zoom * ratio, (event.clientX + other.clientX) / 2,
      (event.clientY + other.clientY) / 2);
  }
}
