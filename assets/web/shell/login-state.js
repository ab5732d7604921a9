// What a page does when its user logs out with answers that are not saved, and when somebody else
// logs in in another tab.

import { pending } from "../annotate/outbox.js";
import { many } from "../annotate/progress.js";
import { connection, ownerOf } from "../shared/connection.js";
import { around, element } from "../shared/dom.js";
import { listen } from "../shared/page-events.js";

/** @typedef {import("../shared/page-events.js").Identity} Identity */
/** @typedef {[label: string, act: () => void]} Choice A button, and what it does. */

const LEAVES = "a[href$='/logout']";
const ANNOTATORS_PAGE = /\/annotate\/?$/;
const WAIT_MS = 2000;
const STEP_MS = 100;

/**
 * Opens a dialog with a button for each choice.
 *
 * @param {string} title
 * @param {string} text
 * @param {Choice[]} choices
 */
const ask = (title, text, choices) => {
  const dialog = element("dialog", "studio-dialog", "", { "aria-label": title });
  const row = element("div", "row");
  for (const [label, act] of choices) {
    const button = element("button", "", label, { type: "button" });
    button.addEventListener("click", () => {
      dialog.close();
      act();
    });
    row.append(button);
  }
  dialog.append(element("h3", "", title), element("p", "", text), row);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
};

/**
 * Gives answers on their way a moment to arrive.
 *
 * @param {Identity | null} own
 * @returns {Promise<boolean>} Whether all are saved.
 */
const arrived = async (own) => {
  for (let waited = 0; pending(own) && waited < WAIT_MS; waited += STEP_MS) {
    await new Promise((done) => setTimeout(done, STEP_MS));
  }
  return !pending(own);
};

const unsaved = () => pending(connection.own) > 0;

/** Asks before a logout with answers that are not saved; the person decides. */
const guardLogout = () => {
  let asking = false;
  /** @param {() => void} go */
  const leave = async (go) => {
    if (asking) return;
    asking = true;
    const { own } = connection;
    if (await arrived(own)) go();
    else {
      const waiting = pending(own);
      ask(`${many(waiting, "answer")} not saved yet`,
        `${waiting === 1 ? "It stays in this browser and is" : "They stay in this browser and are"} ` +
        `sent when ${own?.user} logs in here again. ` +
        "On a computer that is not yours, wait for the connection instead.",
        [["Stay", () => {}], ["Log out all the same", go]]);
    }
    asking = false;
  };
  document.addEventListener("click", (event) => {
    const link = around(event, LEAVES);
    if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || !unsaved()) return;
    event.preventDefault();
    leave(() => location.assign(link.href));
  }, true);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement)) return;
    if (!form.getAttribute("action")?.endsWith("logout") || !unsaved()) return;
    event.preventDefault();
    leave(() => form.submit());
  }, true);
};

/**
 * Says that this page can do nothing more. It goes on when its own user is back, as what they were:
 * somebody else logged in, nobody is, or a lead is one no more.
 */
const sayWhoIsIn = () => {
  const leadsPage = !ANNOTATORS_PAGE.test(location.pathname);
  /** @type {HTMLDialogElement | null} */
  let said = null;
  let saying = "";
  const close = () => {
    said?.close();
    said = null;
    saying = "";
  };
  /**
   * @param {string} what Names what is said, which is not said twice.
   * @param {string} title
   * @param {string} text
   * @param {Choice} choice
   */
  const say = (what, title, text, choice) => {
    if (saying === what) return;
    close();
    saying = what;
    said = ask(title, text, [choice]);
    said.addEventListener("cancel", (event) => event.preventDefault());
  };
  /**
   * @param {Identity} own
   * @param {Identity} now
   */
  const sayOther = (own, { user: now, account }) => {
    const waiting = pending(own);
    const again = own.user === now;
    const user = again ? `an earlier account called ${now}` : own.user;
    const kept = waiting && !again ? ` ${many(waiting, "answer")} of ${user} not saved yet: kept in this ` +
      `browser until ${user} logs in again.` : "";
    say(`other ${now} ${account}`, `${now} is logged in now`,
      `This page was opened by ${user}. Nothing more of it is saved, so that nothing counts as ` +
      `${now}’s.${kept}`, [`Go on as ${now}`, () => location.reload()]);
  };
  const sayNoLead = () =>
    say("no lead", "You are an annotator now",
      "A lead has changed your role. This page is for leads: nothing more of it is saved. What you " +
      "can do is on your own page.",
      ["Go to my page", () => location.assign(new URL("annotate/", document.baseURI))]);
  listen("user", ({ own, now, role }) => {
    if (ownerOf(own) !== ownerOf(now)) sayOther(own, now);
    else if (leadsPage && role === "annotator") sayNoLead();
    else close();
  });
  listen("out", (own) => {
    // The annotators' page says it where their answers are.
    if (!leadsPage || own === null) return;
    say("out", "You are logged out", "Nothing more of this page is saved until you log in again: " +
      "your session has ended, here or in another tab, or a lead has ended it.",
      ["Log in", () => location.assign(new URL("login", document.baseURI))]);
  });
};

/** Guards logouts, and says on the page when it is nobody's or somebody else's. */
export const startLoginState = () => {
  guardLogout();
  sayWhoIsIn();
};
