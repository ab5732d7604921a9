// What was typed on the page, kept over a reload that nobody asked for. The studio was restarted, or
// Gradio's page lost it and loads itself again: what events meant is gone then, typed text need not
// be. It lies in this browser tab only, for whoever typed it, until it stands in its fields again.
(() => {
  const { ownerOf } = window.StudioConnection;
  const KEY = "studio-typed";
  // Answers keep themselves (annotate-draft.js), and so does the Train form.
  const KEEP_THEMSELVES = ".annotate, #tab-train, dialog";
  const FIELDS = "input:not([type=file], [type=password]), textarea";
  // Fields that only make sense together, and the one that says what they were filled with.
  const TOGETHER = { "#team-project": "#team-filled textarea" };
  const STEP_MS = 400;
  const PAUSE_MS = 1500; // a reload waits for this long a pause in typing
  const CHECKS = 4; // how often a field is looked at again: what fills it may come later
  const typed = new Map(); // by address: the field, and what stood in it before
  let leaving = null; // why the page is about to be loaded again
  let lastKey = 0;
  let putting = false;

  const field = (element) => element?.matches?.(FIELDS) && !element.closest(KEEP_THEMSELVES);
  const isSwitch = ({ type }) => type === "checkbox" || type === "radio";
  const valueOf = (element) => (isSwitch(element) ? element.checked : element.value);
  const groupOf = (element) => Object.keys(TOGETHER).find((group) => element.closest(group)) ?? "";
  const filledOf = (group) => document.querySelector(TOGETHER[group]);

  const nameOf = (element) => {
    const within = element.closest("label, .block");
    const label = within?.querySelector("[data-testid=block-info]") ?? element.closest("label");
    return label?.textContent.trim() || element.placeholder || element.getAttribute("aria-label") || "";
  };
  const placeOf = (element) =>
    [element.closest("[id^='tab-'], #data-import-panel")?.id ?? "", nameOf(element), element.type].join("|");

  // Several fields may have one name: they are told apart by their order.
  const addresses = () => {
    const seen = {};
    const found = new Map();
    for (const element of document.querySelectorAll(FIELDS)) {
      if (!field(element)) continue;
      const place = placeOf(element);
      seen[place] = (seen[place] ?? 0) + 1;
      found.set(`${place}|${seen[place]}`, element);
    }
    return found;
  };
  const addressOf = (element) => [...addresses()].find(([, one]) => one === element)?.[0];

  let entered = null;
  document.addEventListener("focusin", ({ target }) => {
    entered = field(target) ? { element: target, value: valueOf(target) } : null;
  });
  const note = (element) => {
    if (!field(element)) return;
    const address = addressOf(element);
    const before = typed.get(address)?.before ?? (entered?.element === element ? entered.value : null);
    typed.set(address, { element, before, value: valueOf(element) });
    pending = pending.filter((one) => one.address !== address);
  };
  document.addEventListener("input", (event) => {
    if (putting) return;
    lastKey = Date.now();
    note(event.target);
  });
  // A choice from a list puts the text there without a word.
  document.addEventListener("focusout", ({ target }) => {
    const left = entered;
    setTimeout(() => {
      if (left?.element === target && target.isConnected && valueOf(target) !== left.value) note(target);
    }, 200);
  });

  const kept = () => {
    const groups = new Set();
    const found = [...pending];
    for (const [address, { element, before, value }] of typed) {
      const now = element.isConnected ? valueOf(element) : value;
      if (now === before || now === "") continue;
      const group = groupOf(element);
      if (group) groups.add(group);
      else found.push({ address, value: now, name: nameOf(element) });
    }
    if (!groups.size) return found;
    const changed = new Set(typed.keys());
    for (const [address, element] of addresses()) {
      const group = groupOf(element);
      if (!groups.has(group)) continue;
      const name = changed.has(address) ? nameOf(element) : "";
      found.push({ address, value: valueOf(element), name, group });
    }
    return found;
  };
  const keep = () => {
    const { owner, start } = window.StudioConnection;
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ owner, start, why: leaving, fields: kept() }));
    } catch {
      // A browser that keeps nothing: the page is loaded all the same.
    }
  };

  const reload = () => {
    if (Date.now() - lastKey < PAUSE_MS) setTimeout(reload, STEP_MS);
    else location.reload();
  };
  document.addEventListener("studio:restart", ({ detail: { own, now } }) => {
    if (leaving === "restart" || !own || !now || ownerOf(own) !== ownerOf(now)) return;
    leaving = "restart";
    reload();
  });
  document.addEventListener("studio:lost", () => (leaving ??= "lost"));
  document.addEventListener("studio:out", () => (leaving ??= "out"));
  addEventListener("pagehide", () => {
    leaving ??= pending.length ? "lost" : null;
    if (leaving) keep();
  });

  // After the reload.
  let pending = [];
  const put = (element, value) => {
    if (isSwitch(element)) {
      if (element.checked !== value) element.click();
      return;
    }
    const kind = element instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
    const list = element.getAttribute("role") === "listbox" || element.hasAttribute("aria-autocomplete");
    if (list) element.focus();
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(element, value);
    element.dispatchEvent(new Event("input", { bubbles: true }));
    if (list) element.blur();
  };
  const putBack = () => {
    const found = addresses();
    for (const one of pending) {
      const element = found.get(one.address);
      if (!element || (one.group && !filledOf(one.group)?.value)) continue;
      putting = true;
      if (valueOf(element) !== one.value) put(element, one.value);
      putting = false;
      one.checks = (one.checks ?? 0) + 1;
    }
    pending = pending.filter(({ checks }) => !(checks >= CHECKS));
    if (pending.length) setTimeout(putBack, STEP_MS);
  };

  const WHY = {
    restart: "The studio was restarted",
    lost: "The connection to the studio was lost",
    out: "You were logged out",
  };
  const tell = (why, names) => {
    const line = document.createElement("div");
    line.className = "studio-notice page-again";
    line.setAttribute("role", "status");
    const shown = names.slice(0, 6).join(", ") + (names.length > 6 ? " …" : "");
    line.textContent = `${WHY[why]}, and this page was loaded again. ` +
      (names.length ? `What you typed and had not saved is in its fields again: ${shown}. ` : "");
    const close = Object.assign(document.createElement("button"), { type: "button", textContent: "Close" });
    close.addEventListener("click", () => line.remove());
    line.append(close);
    document.body.prepend(line);
  };
  const begin = () => {
    let left = null;
    try {
      left = JSON.parse(sessionStorage.getItem(KEY));
    } catch { /* nothing of ours */ }
    if (!left?.fields) return;
    // The first answer of the studio says whose page this is, and of which start.
    const known = () => {
      const { owner, start } = window.StudioConnection;
      if (owner === null) return;
      document.removeEventListener("studio:pulse", known);
      sessionStorage.removeItem(KEY);
      if (left.owner !== owner) return;
      pending = left.fields;
      const why = left.why === "lost" && left.start !== start ? "restart" : left.why;
      tell(why, [...new Set(pending.map(({ name }) => name).filter(Boolean))]);
      setTimeout(putBack, STEP_MS);
    };
    document.addEventListener("studio:pulse", known);
  };
  begin();
})();
