// How an answer is drawn: plain text with marked pieces and differences, or simple Markdown.
// Everything becomes elements and text nodes; text is never read as HTML.
import { element } from "../shared/dom.js";
import { cutAt } from "./differences.js";

/** @typedef {import("./differences.js").Piece} Piece */

/**
 * Draws `text` as it was written, with its marked pieces and its differences.
 *
 * @param {HTMLElement} place
 * @param {string} text
 * @param {Piece[]} spans
 * @param {Piece[]} different
 */
export const plain = (place, text, spans, different) => {
  /** @param {Piece[]} pieces @param {Piece} piece */
  const covers = (pieces, { start, end }) => pieces.find((s) => s.start <= start && end <= s.end);
  const nodes = cutAt(text, [...spans, ...different]).map((piece) => {
    const written = text.slice(piece.start, piece.end);
    const span = covers(spans, piece);
    if (!span && !covers(different, piece)) return document.createTextNode(written);
    const made = element(span ? "mark" : "span", span ? "an-wrong" : "an-different", written);
    if (span) Object.assign(made.dataset, { start: span.start, end: span.end });
    return made;
  });
  place.replaceChildren(...nodes);
};

// Bold, italics and code within a line.
const INLINE = /(\*\*|__)(.+?)\1|(\*|_)(.+?)\3|`([^`]+)`/;

/**
 * @param {HTMLElement} place
 * @param {string} text
 * @returns {void}
 */
const inline = (place, text) => {
  const found = INLINE.exec(text);
  if (!found) return place.append(text);
  place.append(text.slice(0, found.index));
  if (found[5]) place.append(element("code", "", found[5]));
  else {
    const made = element(found[2] ? "strong" : "em");
    inline(made, found[2] ?? found[4]);
    place.append(made);
  }
  return inline(place, text.slice(found.index + found[0].length));
};

/**
 * @param {keyof HTMLElementTagNameMap} tag
 * @param {string} text
 */
const line = (tag, text) => {
  const made = element(tag);
  inline(made, text);
  return made;
};

const HEADINGS = /** @type {const} */ (["h3", "h4", "h5", "h6"]);

/**
 * Draws headings, lists, quotes, code blocks, paragraphs; links and images stay as they are written.
 *
 * @param {HTMLElement} place
 * @param {string} text
 */
export const markdown = (place, text) => {
  const lines = text.split("\n");
  /** @type {HTMLElement[]} */
  const made = [];
  for (let at = 0; at < lines.length; at += 1) {
    const current = lines[at];
    const heading = /^(#{1,4})\s+(.*)/.exec(current);
    const item = /^\s*([-*+]|\d+[.)])\s+(.*)/.exec(current);
    if (current.startsWith("```")) {
      const until = lines.findIndex((other, index) => index > at && other.startsWith("```"));
      const end = until < 0 ? lines.length : until;
      made.push(element("pre", "", lines.slice(at + 1, end).join("\n")));
      at = end;
    } else if (heading) made.push(line(HEADINGS[heading[1].length - 1], heading[2]));
    else if (item) {
      const tag = /\d/.test(item[1]) ? "ol" : "ul";
      if (made.at(-1)?.localName !== tag) made.push(element(tag));
      made.at(-1)?.append(line("li", item[2]));
    } else if (current.startsWith(">")) made.push(line("blockquote", current.slice(1).trim()));
    else if (current.trim()) made.push(line("p", current));
    else made.push(element("p"));
  }
  place.replaceChildren(...made.filter((one) => one.childNodes.length));
};

/**
 * The characters of `place` that are selected, or null.
 *
 * @param {HTMLElement} place
 * @returns {Piece | null}
 */
export const selected = (place) => {
  const selection = getSelection();
  if (!selection?.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!place.contains(range.startContainer) || !place.contains(range.endContainer)) return null;
  const before = document.createRange();
  before.selectNodeContents(place);
  before.setEnd(range.startContainer, range.startOffset);
  const start = before.toString().length;
  return { start, end: start + range.toString().length };
};

/** Selects nothing any more. */
export const deselect = () => getSelection()?.removeAllRanges();

/**
 * Selects the characters from `start` to `end` inside `place`, and brings them into view.
 *
 * @param {HTMLElement} place
 * @param {number} start
 * @param {number} end
 */
export const select = (place, start, end) => {
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  let at = 0;
  while (walker.nextNode()) {
    const node = /** @type {Text} */ (walker.currentNode);
    const until = at + node.length;
    if (at <= start && start < until) range.setStart(node, start - at);
    if (at < end && end <= until) range.setEnd(node, end - at);
    at = until;
  }
  deselect();
  getSelection()?.addRange(range);
  const [box, frame] = [range.getBoundingClientRect(), place.getBoundingClientRect()];
  if (box.bottom > frame.bottom) place.scrollTop += box.bottom - frame.bottom;
  if (box.top < frame.top) place.scrollTop -= frame.top - box.top;
};
