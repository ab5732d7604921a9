// The list of keys.
import { element } from "../shared/dom.js";
import { button } from "./page-elements.js";

const HELP = [
  ["1  2", "the left, the right answer is better"],
  ["⇧ 1  ⇧ 2", "clearly better"],
  ["Q  W", "slightly better"],
  ["T", "tie: equally good"],
  ["G  B", "both good; both bad, and the right answer if you know it"],
  ["U", "you can't tell which is better"],
  ["↵  Ctrl ↵", "in an editor: save; ⇧ ↵ is a new line"],
  ["S", "skip with a reason; somebody else gets the pair"],
  ["E", "edit the better answer; then 1 or 2"],
  ["N  C", "write the ideal answer; a comment"],
  ["F", "flag the pair for the lead"],
  ["M", "mark wrong words: those selected, or found with ← →"],
  ["4 … 9", "what else is judged, one key each"],
  ["Z", "undo, as often as you like"],
  ["←  →", "look back through your answers; answering again replaces one"],
  ["D  L", "show differences; guidelines"],
  ["↑  ↓", "scroll a long question, then the answers"],
  ["+  −  0", "zoom in, out, fit; wheel, drag and two fingers work too"],
  ["⇧ ← → ↑ ↓", "move what is zoomed"],
  ["R  space", "rotate; the images alone on the screen"],
  ["V", "look at a pair whose answer was not saved"],
  ["Esc", "close what is open; back from looking back"],
  ["?", "this list"],
];
const LEAD_HELP = [["O", "make the answer you look back at gold, or no longer"]];

/** Makes the dialog that lists the keys. */
export const helpDialog = () => {
  const made = element("dialog", "an-help", "", { "aria-label": "Keys" });
  const list = element("dl");
  /** @param {string[][]} lines @param {string} className */
  const add = (lines, className) => {
    for (const [keys, text] of lines) {
      const term = element("dt", className);
      for (const key of keys.split("  ")) term.append(element("kbd", "", key));
      list.append(term, element("dd", className, text));
    }
  };
  add(HELP, "");
  add(LEAD_HELP, "an-lead");
  made.append(element("h3", "", "Keys"), list, button("help-close", "Esc", "Close"));
  return made;
};
