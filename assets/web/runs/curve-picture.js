// The curves that are on the page, drawn into one picture. Text goes to the canvas as text.

import { around, saveFile } from "../shared/dom.js";

/** @typedef {CanvasRenderingContext2D} Pen */
/** @typedef {{ x: number, y: number, w: number, h: number }} Area */

const WIDTH = 560;
const HEIGHT = 280;
const SCALE = 2;
const LINE = 20;
const PAD = { left: 64, right: 16, top: 44, bottom: 28 };

/**
 * Writes a time to the minute: "2026-05-03 14:05".
 *
 * @param {Date} date
 * @returns {string}
 */
export const minute = (date) => {
  /** @param {number} number */
  const two = (number) => String(number).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
};

/**
 * Cuts a text until it is no wider than there is room.
 *
 * @param {(text: string) => number} measure
 * @param {string} text
 * @param {number} room
 * @returns {string} At least one letter of it, and a sign where something was cut.
 */
export const cut = (measure, text, room) => {
  let length = text.length;
  const made = () => (length < text.length ? `${text.slice(0, length).trimEnd()}…` : text);
  while (length > 1 && measure(made()) > room) length -= 1;
  return made();
};

/**
 * Makes a file name of a run's name.
 *
 * @param {string} name
 * @returns {string}
 */
export const pictureName = (name) => `${name.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 60)}.png`;

/** @param {string} name */
const colour = (name) =>
  getComputedStyle(document.body).getPropertyValue(`--studio-${name}`).trim() || "#888";

/**
 * @param {Element} element
 * @param {"left" | "top"} side
 */
const percent = (element, side) => parseFloat(/** @type {HTMLElement} */ (element).style[side]) / 100;

/** @param {Pen} pen */
const measured = (pen) => (/** @type {string} */ text) => pen.measureText(text).width;

/**
 * @param {Pen} pen
 * @param {Element} plot
 * @param {number} left
 * @param {number} top
 */
const drawPlot = (pen, plot, left, top) => {
  const body = plot.querySelector(".plot-body");
  const caption = plot.querySelector("figcaption");
  if (!body || !caption) return;
  const area = {
    x: left + PAD.left,
    y: top + PAD.top,
    w: WIDTH - PAD.left - PAD.right,
    h: HEIGHT - PAD.top - PAD.bottom,
  };
  pen.textAlign = "left";
  pen.fillStyle = colour("text");
  pen.font = "600 14px system-ui, sans-serif";
  pen.fillText(caption.firstChild?.textContent ?? "", left + 8, top + 18);
  drawLegend(pen, caption, left + 8, top + 36);
  drawTicks(pen, body, area);
  for (const line of body.querySelectorAll("polyline, path.dot")) drawLine(pen, line, area);
};

/**
 * Draws the lines' names and values; a name is cut rather than the value after it.
 *
 * @param {Pen} pen
 * @param {Element} caption
 * @param {number} x
 * @param {number} y
 */
const drawLegend = (pen, caption, x, y) => {
  pen.font = "12px system-ui, sans-serif";
  const measure = measured(pen);
  const keys = [...caption.querySelectorAll(".key")];
  const share = (WIDTH - 16) / keys.length - 31;
  const all = keys.map((key) => measure((key.textContent ?? "").trim()));
  const fits = all.reduce((sum, width) => sum + width + 31, 0) <= WIDTH - 16;
  for (const key of keys) {
    const value = key.querySelector("b")?.textContent ?? "";
    const name = (key.firstChild?.textContent ?? "").trim();
    const text = `${cut(measure, name, fits ? WIDTH : share - measure(` ${value}`))} ${value}`.trim();
    pen.fillStyle = getComputedStyle(key, "::before").borderTopColor;
    pen.fillRect(x, y - 5, 12, 2);
    pen.fillStyle = colour("text-2");
    pen.fillText(text, x + 17, y);
    x += 17 + measure(text) + 14;
  }
};

/**
 * @param {Pen} pen
 * @param {Element} body
 * @param {Area} area
 */
const drawTicks = (pen, body, area) => {
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = colour("text-2");
  pen.strokeStyle = colour("line");
  pen.lineWidth = 1;
  pen.setLineDash([]);
  for (const tick of body.querySelectorAll(".tick-y")) {
    const y = area.y + percent(tick, "top") * area.h;
    pen.beginPath();
    pen.moveTo(area.x, y);
    pen.lineTo(area.x + area.w, y);
    pen.stroke();
    pen.textAlign = "right";
    pen.fillText(tick.textContent ?? "", area.x - 8, y + 4);
  }
  pen.textAlign = "center";
  for (const tick of body.querySelectorAll(".tick-x")) {
    pen.fillText(tick.textContent ?? "", area.x + percent(tick, "left") * area.w, area.y + area.h + 18);
  }
};

/**
 * @param {Pen} pen
 * @param {Element} line
 * @param {Area} area
 */
const drawLine = (pen, line, area) => {
  const style = getComputedStyle(line);
  /** @type {(point: number[]) => [number, number]} */
  const at = ([x, y]) => [area.x + (x / 100) * area.w, area.y + (y / 100) * area.h];
  pen.strokeStyle = pen.fillStyle = style.stroke;
  pen.globalAlpha = Number(style.opacity);
  if (line.classList.contains("dot")) {
    const point = (line.getAttribute("d") ?? "").match(/-?[\d.]+/g) ?? [];
    pen.beginPath();
    pen.arc(...at(point.map(Number)), 3, 0, 7);
    pen.fill();
  } else {
    pen.lineWidth = parseFloat(style.strokeWidth);
    pen.setLineDash(line.hasAttribute("stroke-dasharray") ? [5, 4] : []);
    pen.beginPath();
    for (const pair of (line.getAttribute("points") ?? "").split(" ")) {
      pen.lineTo(...at(pair.split(",").map(Number)));
    }
    pen.stroke();
  }
  pen.globalAlpha = 1;
};

/**
 * Draws which runs these are, when they trained, and when the picture was made.
 *
 * @param {Pen} pen
 * @param {string[]} lines
 * @param {number} width
 */
const drawHead = (pen, lines, width) => {
  pen.textAlign = "left";
  lines.forEach((line, place) => {
    const isLast = place === lines.length - 1;
    pen.font = `${isLast ? 400 : 600} 13px system-ui, sans-serif`;
    pen.fillStyle = colour(isLast ? "text-2" : "text");
    pen.fillText(cut(measured(pen), line, width - 16), 8, 20 + place * LINE);
  });
};

/**
 * @param {Element[]} plots
 * @param {string[]} dated
 */
const picture = (plots, dated) => {
  const lines = [...dated, `Picture of ${minute(new Date())}`];
  const head = 12 + lines.length * LINE;
  const columns = Math.min(2, plots.length);
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH * columns * SCALE;
  canvas.height = (head + HEIGHT * Math.ceil(plots.length / columns)) * SCALE;
  const pen = /** @type {Pen} */ (canvas.getContext("2d"));
  pen.scale(SCALE, SCALE);
  pen.fillStyle = colour("surface");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  drawHead(pen, lines, WIDTH * columns);
  plots.forEach((plot, place) => {
    drawPlot(pen, plot, (place % columns) * WIDTH, head + Math.floor(place / columns) * HEIGHT);
  });
  return canvas;
};

const save = () => {
  const all = /** @type {HTMLElement | null} */ (document.querySelector("#run-curves .plots"));
  if (!all) return;
  const dated = (all.dataset.dated ?? "").split("\n").filter(Boolean);
  picture([...all.querySelectorAll(".plot")], dated).toBlob((blob) => {
    if (blob) saveFile(blob, pictureName(all.dataset.name ?? ""));
  });
};

/** Saves the picture at a click on its button. */
export const startCurvePicture = () => {
  document.addEventListener("click", (event) => {
    if (around(event, "[data-studio='plots-png']")) save();
  });
};
