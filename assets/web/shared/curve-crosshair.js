// The crosshair over curves: the step under the pointer, and each line's value there.

import { around, element } from "./dom.js";

/** @typedef {[step: number, value: number]} Point */
/** @typedef {{ label: string, tone?: string, points: Point[] }} Line */

/**
 * Writes a value in a few digits, or as a share of a hundred.
 *
 * @param {number} value
 * @param {boolean} percent
 * @returns {string}
 */
export const written = (value, percent) => {
  if (percent) return `${(100 * value).toPrecision(3)} %`;
  return value && (Math.abs(value) >= 1e4 || Math.abs(value) < 1e-4)
    ? value.toExponential(2)
    : String(Number(value.toPrecision(4)));
};

/**
 * Finds the point whose step is nearest to another step.
 *
 * @param {Point[]} points
 * @param {number} step
 * @returns {Point}
 */
export const nearest = (points, step) =>
  points.reduce((best, point) =>
    Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best);

/**
 * Finds the step at a place of the chart, and where on the chart that step is.
 *
 * @param {Line[]} lines
 * @param {number} left The first step of the chart.
 * @param {number} right The last one.
 * @param {number} share Of the chart's width; what is outside counts as its edge.
 * @returns {{ step: number, at: number }}
 */
export const stepAt = (lines, left, right, share) => {
  const wanted = left + Math.min(1, Math.max(0, share)) * (right - left);
  const [step] = nearest(lines[0].points, wanted);
  return { step, at: right > left ? (step - left) / (right - left) : 0 };
};

/**
 * @param {string} text
 * @param {string} [tone]
 */
const row = (text, tone) => {
  const made = element("div", "", text);
  if (tone) made.style.color = `var(--studio-${tone})`;
  return made;
};

/** @param {PointerEvent} event */
const onMove = (event) => {
  const body = around(event, ".plot-body");
  const cross = body?.querySelector(".plot-cross");
  const tip = body?.querySelector(".plot-tip");
  const box = body?.querySelector("svg")?.getBoundingClientRect();
  if (!body || !box || !(cross instanceof HTMLElement) || !(tip instanceof HTMLElement)) return;
  /** @type {Line[]} */
  const lines = JSON.parse(body.dataset.lines ?? "[]");
  const share = (event.clientX - box.left) / box.width;
  const { step, at } = stepAt(lines, Number(body.dataset.left), Number(body.dataset.right), share);
  cross.style.left = tip.style.left = `${100 * at}%`;
  tip.classList.toggle("flip", at > 0.6);
  tip.replaceChildren(row(`${body.dataset.unit} ${step.toLocaleString("en")}`));
  for (const line of lines) {
    const [, value] = nearest(line.points, step);
    tip.append(row(`${line.label} ${written(value, body.dataset.percent === "1")}`, line.tone));
  }
  cross.hidden = tip.hidden = false;
};

/** @param {PointerEvent} event */
const onLeave = (event) => {
  const body = around(event, ".plot-body");
  if (!body || (event.relatedTarget instanceof Node && body.contains(event.relatedTarget))) return;
  for (const part of body.querySelectorAll(".plot-cross, .plot-tip")) part.toggleAttribute("hidden", true);
};

/** Follows the pointer over every chart of the page. */
export const startCrosshair = () => {
  document.addEventListener("pointermove", onMove);
  document.addEventListener("pointerout", onLeave);
};
