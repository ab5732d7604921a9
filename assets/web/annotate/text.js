// How an answer is drawn: plain text with marked pieces and differences, or simple Markdown.
// Everything becomes elements and text nodes; text is never read as HTML.
window.StudioText = (() => {
  const element = (tag, text = "", className = "") => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  // Pieces [{start, end, different}] of `text` that are not in `other`: longest common words.
  const MOST_WORDS = 800;
  const words = (text) => text.match(/\s+|[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];
  const differences = (text, other) => {
    const [mine, theirs] = [words(text), words(other)];
    if (mine.length > MOST_WORDS || theirs.length > MOST_WORDS) return [];
    const width = theirs.length + 1;
    const best = new Uint16Array((mine.length + 1) * width);
    for (let i = mine.length - 1; i >= 0; i -= 1) {
      for (let j = theirs.length - 1; j >= 0; j -= 1) {
        best[i * width + j] = mine[i] === theirs[j] ? best[(i + 1) * width + j + 1] + 1
          : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
      }
    }
    const found = [];
    for (let i = 0, j = 0, at = 0; i < mine.length; i += 1) {
      while (j < theirs.length && mine[i] !== theirs[j] &&
        best[i * width + j + 1] > best[(i + 1) * width + j]) j += 1;
      const same = j < theirs.length && mine[i] === theirs[j];
      if (same) j += 1;
      else if (mine[i].trim()) found.push({ start: at, end: at + mine[i].length });
      at += mine[i].length;
    }
    return found;
  };

  const plain = (place, text, spans, different) => {
    const edges = [0, text.length, ...[...spans, ...different].flatMap((s) => [s.start, s.end])];
    const cuts = [...new Set(edges)].filter((at) => at <= text.length).sort((a, b) => a - b);
    const covers = (pieces, from, to) => pieces.find((s) => s.start <= from && to <= s.end);
    const nodes = cuts.slice(0, -1).map((from, index) => {
      const to = cuts[index + 1];
      const piece = text.slice(from, to);
      const span = covers(spans, from, to);
      if (!span && !covers(different, from, to)) return document.createTextNode(piece);
      const made = element(span ? "mark" : "span", piece, span ? "an-wrong" : "an-different");
      if (span) Object.assign(made.dataset, { start: span.start, end: span.end });
      return made;
    });
    place.replaceChildren(...nodes);
  };

  // Bold, italics and code within a line.
  const INLINE = /(\*\*|__)(.+?)\1|(\*|_)(.+?)\3|`([^`]+)`/;
  const inline = (place, text) => {
    const found = INLINE.exec(text);
    if (!found) return place.append(text);
    place.append(text.slice(0, found.index));
    if (found[5]) place.append(element("code", found[5]));
    else {
      const made = element(found[2] ? "strong" : "em");
      inline(made, found[2] ?? found[4]);
      place.append(made);
    }
    return inline(place, text.slice(found.index + found[0].length));
  };

  const line = (tag, text) => {
    const made = element(tag);
    inline(made, text);
    return made;
  };

  // Headings, lists, quotes, code blocks, paragraphs; links and images stay as they are written.
  const markdown = (place, text) => {
    const lines = text.split("\n");
    const made = [];
    for (let at = 0; at < lines.length; at += 1) {
      const current = lines[at];
      const heading = /^(#{1,4})\s+(.*)/.exec(current);
      const item = /^\s*([-*+]|\d+[.)])\s+(.*)/.exec(current);
      if (current.startsWith("```")) {
        const until = lines.findIndex((other, index) => index > at && other.startsWith("```"));
        const end = until < 0 ? lines.length : until;
        made.push(element("pre", lines.slice(at + 1, end).join("\n")));
        at = end;
      } else if (heading) made.push(line(`h${heading[1].length + 2}`, heading[2]));
      else if (item) {
        const tag = /\d/.test(item[1]) ? "ol" : "ul";
        if (made.at(-1)?.localName !== tag) made.push(element(tag));
        made.at(-1).append(line("li", item[2]));
      } else if (current.startsWith(">")) made.push(line("blockquote", current.slice(1).trim()));
      else if (current.trim()) made.push(line("p", current));
      else made.push(element("p"));
    }
    place.replaceChildren(...made.filter((one) => one.childNodes.length));
  };

  // Offsets of the selection inside `place`, or null.
  const selected = (place) => {
    const selection = getSelection();
    if (!selection.rangeCount || selection.isCollapsed) return null;
    const range = selection.getRangeAt(0);
    if (!place.contains(range.startContainer) || !place.contains(range.endContainer)) return null;
    const before = document.createRange();
    before.selectNodeContents(place);
    before.setEnd(range.startContainer, range.startOffset);
    const start = before.toString().length;
    return { start, end: start + range.toString().length };
  };

  // Where the words of `text` are: [{start, end}].
  const pieces = (text) => Array.from(text.matchAll(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu),
    ({ 0: word, index }) => ({ start: index, end: index + word.length }));

  // Selects the characters from `start` to `end` inside `place`, and brings them into view.
  const select = (place, start, end) => {
    const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    for (let at = 0, node = walker.nextNode(); node; node = walker.nextNode()) {
      const until = at + node.length;
      if (at <= start && start < until) range.setStart(node, start - at);
      if (at < end && end <= until) range.setEnd(node, end - at);
      at = until;
    }
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    const [box, frame] = [range.getBoundingClientRect(), place.getBoundingClientRect()];
    if (box.bottom > frame.bottom) place.scrollTop += box.bottom - frame.bottom;
    if (box.top < frame.top) place.scrollTop -= frame.top - box.top;
  };

  return { plain, markdown, differences, selected, pieces, select };
})();
