// What a page does when its user logs out with answers that are not saved, and when somebody else
// logs in in another tab.
(() => {
  const { pending } = window.StudioOutbox;
  const { ownerOf } = window.StudioConnection;
  const { many } = window.StudioWords;
  const LEAVES = "a[href$='/logout']";
  const WAIT_MS = 2000;
  const STEP_MS = 100;
  const element = (tag, text, attributes = {}) => {
    const made = Object.assign(document.createElement(tag), { textContent: text });
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };

  // A dialog with a button for each of `choices`: [text, what it does].
  const ask = (title, text, choices) => {
    const dialog = element("dialog", "", { class: "studio-dialog", "aria-label": title });
    const row = element("div", "", { class: "row" });
    for (const [label, act] of choices) {
      const button = element("button", label, { type: "button" });
      button.addEventListener("click", () => {
        dialog.close();
        act();
      });
      row.append(button);
    }
    dialog.append(element("h3", title), element("p", text), row);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
  };

  // Logging out: answers on their way get a moment to arrive, then the person decides.
  const arrived = async (own) => {
    for (let waited = 0; pending(own) && waited < WAIT_MS; waited += STEP_MS) {
      await new Promise((done) => setTimeout(done, STEP_MS));
    }
    return !pending(own);
  };
  let asking = false;
  const leave = async (go) => {
    if (asking) return;
    asking = true;
    const { own } = window.StudioConnection;
    if (await arrived(own)) go();
    else {
      const { user } = own;
      const waiting = pending(own);
      ask(`${many(waiting, "answer")} not saved yet`,
        `${waiting === 1 ? "It stays in this browser and is" : "They stay in this browser and are"} ` +
        `sent when ${user} logs in here again. ` +
        "On a computer that is not yours, wait for the connection instead.",
        [["Stay", () => null], ["Log out all the same", go]]);
    }
    asking = false;
  };
  const unsaved = () => pending(window.StudioConnection.own) > 0;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.(LEAVES);
    if (!link || event.ctrlKey || event.metaKey || !unsaved()) return;
    event.preventDefault();
    leave(() => location.assign(link.href));
  }, true);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.getAttribute("action")?.endsWith("logout") || !unsaved()) return;
    event.preventDefault();
    leave(() => form.submit());
  }, true);

  // Somebody else logged in: this page can do nothing more, and says so; it goes on when its own
  // user is back.
  let other = null;
  document.addEventListener("studio:user", ({ detail }) => {
    other?.close();
    other = null;
    if (ownerOf(detail.own) === ownerOf(detail.now)) return;
    const waiting = pending(detail.own);
    const now = detail.now.user;
    const again = detail.own.user === now;
    const user = again ? `an earlier account called ${now}` : detail.own.user;
    const kept = waiting && !again ? ` ${many(waiting, "answer")} of ${user} not saved yet: kept in this ` +
      `browser until ${user} logs in again.` : "";
    other = ask(`${now} is logged in now`,
      `This page was opened by ${user}. Nothing more of it is saved, so that nothing counts as ` +
      `${now}’s.${kept}`, [[`Go on as ${now}`, () => location.reload()]]);
    other.addEventListener("cancel", (event) => event.preventDefault());
  });
})();
