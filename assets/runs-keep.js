// The Runs tab is drawn anew while one uses it. What one was at stays: the button that has the focus,
// findings that were opened, the place in the log, how curves are drawn.
(() => {
  const LOOKS = "studio-run-looks";
  const NAMES = ["run", "act", "step", "use"];
  const opened = new Set();
  let focused = null;
  let atEnd = true;

  const place = (element) => element.closest?.("#run-list, #run-checkpoints");
  const chosen = () => document.querySelector('#run-list [aria-pressed="true"]')?.dataset.run ?? "";
  const findingKey = (details) => `${chosen()} ${details.dataset.finding}`;

  const twin = ({ id, data }) => {
    const like = [...(document.getElementById(id)?.querySelectorAll("button:enabled") ?? [])];
    const agrees = (names) => (button) =>
      names.every((name) => (button.dataset[name] ?? "") === (data[name] ?? ""));
    // A queue's end has no further up or down, weights that are taken are not taken again.
    return like.find(agrees(NAMES)) ?? like.find(({ dataset }) =>
      (data.act && data.run && dataset.run === data.run) || (data.use && dataset.step === data.use));
  };

  // Smoothing and log scale, as they were left; a browser that keeps nothing has those of the page.
  window.studioLooks = (now) => {
    try {
      const [smoothing, log] = JSON.parse(localStorage.getItem(LOOKS));
      return smoothing >= 0 && smoothing < 1 ? [smoothing, log === true] : now;
    } catch {
      return now;
    }
  };
  window.studioKeepLooks = (looks) => {
    try {
      localStorage.setItem(LOOKS, JSON.stringify(looks));
    } catch { /* no place for it */ }
    return looks;
  };

  document.addEventListener("focusin", ({ target }) => {
    const within = place(target);
    focused = within && target.matches("button")
      ? { element: target, id: within.id, data: { ...target.dataset } }
      : null;
  });

  // One who went elsewhere is not called back; a button that was drawn anew is no longer there.
  document.addEventListener("focusout", ({ target }) => {
    setTimeout(() => {
      if (focused?.element === target && target.isConnected && document.activeElement !== target) {
        focused = null;
      }
    });
  });

  const giveFocusBack = () => {
    if (!focused) return;
    const { element, data } = focused;
    const same = NAMES.every((name) => element.dataset[name] === data[name]);
    if (element.isConnected && same && !element.disabled) return;
    const at = document.activeElement ?? document.body;
    const again = [document.body, element].includes(at) ? twin(focused) : null;
    focused = null;
    again?.focus({ preventScroll: true });
  };

  document.addEventListener("toggle", ({ target }) => {
    if (target.matches?.("#run-health details[data-finding]") && target.isConnected) {
      opened[target.open ? "add" : "delete"](findingKey(target));
    }
  }, true);

  const openAgain = () => {
    for (const details of document.querySelectorAll("#run-health details[data-finding]")) {
      if (opened.has(findingKey(details))) details.open = true;
    }
  };

  document.addEventListener("scroll", ({ target }) => {
    if (!target.matches?.("#run-log pre")) return;
    atEnd = target.scrollHeight - target.clientHeight - target.scrollTop < 8;
  }, true);

  // At its end a log follows what is written; above it, it stays where one reads.
  const keepPlace = () => {
    const log = document.querySelector("#run-log pre");
    if (log && atEnd) log.scrollTop = log.scrollHeight;
  };

  const KEPT = { "run-list": giveFocusBack, "run-checkpoints": giveFocusBack };
  Object.assign(KEPT, { "run-health": openAgain, "run-log": keepPlace });
  const CHANGES = {
    childList: true,
    characterData: true,
    subtree: true,
    attributeFilter: NAMES.map((name) => `data-${name}`),
  };
  const watched = new WeakSet();
  const watch = () => {
    for (const [id, keep] of Object.entries(KEPT)) {
      const part = document.getElementById(id);
      if (!part || watched.has(part)) continue;
      watched.add(part);
      new MutationObserver(keep).observe(part, CHANGES);
      keep();
    }
  };
  document.addEventListener("studio:pulse", watch);
  document.addEventListener("focusin", watch);
})();
