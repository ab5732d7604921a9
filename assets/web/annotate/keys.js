// What is said on the annotating page, and which key does what.
window.StudioWords = (() => {
  const KEYS = {
    1: "left", 2: "right", q: "left-slightly", w: "right-slightly", "!": "left-clearly",
    "@": "right-clearly", t: "tie", g: "both_good", b: "both-bad", u: "unsure", s: "skip",
    f: "flag", e: "edit", n: "ideal", c: "comment", m: "mark", d: "differences", l: "guidelines",
    z: "undo", "?": "help", "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", 0: "zoom-fit",
    r: "rotate", " ": "full", ArrowLeft: "back", ArrowRight: "forward", v: "notice-look", o: "gold",
    4: "aspect-0", 5: "aspect-1", 6: "aspect-2", 7: "aspect-3", 8: "aspect-4", 9: "aspect-5",
  };
  const SHIFTED = { Digit1: "!", Digit2: "@" };
  // The letter on the key cap, also on keyboards of other scripts; Shift+1 wherever ! may be.
  const plainKey = ({ key, code, shiftKey }) => {
    if (shiftKey && SHIFTED[code]) return SHIFTED[code];
    if (key.length > 1) return key;
    return /^[ -~]$/.test(key) ? key.toLowerCase() : code.replace(/^(Key|Digit)/, "").toLowerCase();
  };

  // Enter and space still press what has the focus, unless that is the tab one is in already.
  const pressable = (target) =>
    Boolean(target.closest?.("button:not([aria-selected=true]), a, [role=tab]:not([aria-selected=true])"));

  const WORDS = {
    tie: "Tie",
    both_good: "Both good",
    both_bad: "Both bad",
    unsure: "Can't tell",
    skip: "Skipped",
  };
  const REASONS = ["Image unclear", "Question unclear", "I don't know enough", "Offensive or private"];
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
  const EDITORS = {
    edit: { title: "Improve this answer", save: "Save and next", placeholder: "" },
    ideal: {
      title: "The ideal answer", save: "Keep it", placeholder: "What a perfect answer would say",
    },
    bad: {
      title: "Both bad: what would be right?", save: "Both bad, next",
      placeholder: "Leave it empty if you can't say",
    },
    comment: { title: "Comment", save: "Keep it", placeholder: "For the lead" },
  };
  const many = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

  // 30 Nov of 2026-11-30; with the year where it is another one.
  const date = (iso) => {
    const day = new Date(`${iso}T12:00`);
    const year = day.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
    return day.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...year });
  };

  const SAVING = {
    title: "Saving your answers",
    text: "The next pairs come when the server has them. They are safe in this browser.",
    buttons: [],
  };
  // Of the answers to come, how many pairs that is: in proportion, for which of them come twice is
  // not to be told by a number that stands still.
  const pairsLeft = ({ labelled, waiting, twice }) => {
    const showings = labelled + waiting;
    return waiting && Math.max(1, Math.round((waiting * (showings - Math.min(twice, showings))) / showings));
  };
  const NO_PAIR = "Not counted: there is no pair on show";
  const nothingToUndo = (dataset) => dataset
    ? `Nothing more of yours to take back here, in ${dataset}.` : "There is nothing to undo.";
  const AGAIN = ["look-again", "Look again", true];

  // What is said when there is no pair to show, and the one next step.
  const emptyState = ({ progress, datasets, dataset, lead, standing }) => {
    const { labelled = 0, total = 0, waiting = 0, elsewhere = 0, twice = 0 } = progress ?? {};
    const done = labelled - twice; // pairs, when nothing is left
    if (Object.values(standing ?? {}).includes("failed")) {
      return {
        title: "Please talk to the lead",
        text: "Your answers in the qualification round differ from the known ones. A lead can " +
          "let you go on; nothing you answered is lost.",
        buttons: [AGAIN],
      };
    }
    if (!total) {
      return {
        title: "No pairs to label yet",
        text: "A pair is an image, a question and two answers. You say which answer is better, " +
          "without knowing who wrote it, and a model learns from it. " +
          (lead ? "Import your own in Data." : "A lead imports them."),
        buttons: lead ? [["import-samples", "Import sample pairs", true]] : [AGAIN],
      };
    }
    if (waiting) {
      return {
        title: `${many(waiting, "pair")} in other hands`,
        text: "Your colleagues hold the rest. A pair they leave comes free after some minutes; " +
          "this page looks again every minute.",
        buttons: [AGAIN],
      };
    }
    const votes = datasets.filter(({ name }) => !dataset || name === dataset)
      .reduce((sum, { labelled: pairs }) => sum + pairs, 0);
    const exporting = ["export-now", `Export ${many(votes, "labelled pair")} for training`, true];
    const others = done < total;
    // Pairs that came twice were answered twice, so that there may be more answers than pairs.
    const given = others ? `You answered ${many(done, "pair")} of ${total.toLocaleString("en")}; ` +
      "the others need no answer of yours." : `You gave ${many(labelled, "answer")}.`;
    const colleagues = elsewhere
      ? ` ${many(elsewhere, "pair")} still ${elsewhere === 1 ? "waits" : "wait"} for other people.` : "";
    return {
      title: others ? "Nothing left for you"
        : `All ${many(total, "pair")} done${elsewhere ? " by you" : ""}`,
      text: `${given}${colleagues} Ties and skipped pairs are counted but not trained on.`,
      buttons: [...(lead && votes ? [exporting] : []), ["look-again", "Look again", false]],
    };
  };

  return { KEYS, plainKey, pressable, WORDS, REASONS, HELP, LEAD_HELP, EDITORS, SAVING, NO_PAIR, emptyState, nothingToUndo, pairsLeft, many, date };
})();
