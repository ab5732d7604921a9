// The Train form: more about each setting, finding one, jumping to a section, typing where a list
// is offered, and the run file as a download.
(() => {
  const element = (kind, name, text) => {
    const made = document.createElement(kind);
    if (name) made.className = name;
    if (text) made.textContent = text;
    return made;
  };

  const more = ({ label, effect, trl, path }) => {
    const details = element("details", "why");
    const summary = element("summary", "", "?");
    summary.setAttribute("aria-label", `More about ${label}`);
    summary.title = `More about ${label}`;
    const list = element("dl");
    const rows = [["Effect", effect], ["In TRL", trl], ["Run file", path]];
    for (const [name, text] of rows) {
      if (text) list.append(element("dt", "", name), element("dd", "", text));
    }
    details.append(summary, list);
    return details;
  };

  // Settings are drawn a moment after this is called: those not there yet are tried again.
  const help = (about, tries = 40) => {
    const missing = {};
    for (const [id, item] of Object.entries(about ?? {})) {
      const place = document.getElementById(id);
      if (!place) missing[id] = item;
      else if (!place.querySelector(":scope > .why")) {
        place.dataset.words = item.words;
        place.append(more(item));
      }
    }
    if (Object.keys(missing).length && tries) {
      setTimeout(() => help(missing, tries - 1), 250);
    }
  };

  const textOf = (setting, title) =>
    `${setting.id.slice(4)} ${title} ${setting.dataset.words ?? ""} ${setting.textContent}`
      .toLowerCase();

  const offered = (setting) => {
    const method = document.documentElement.dataset.studioMethod;
    const other = method === "dpo" ? "sft" : "dpo";
    return !setting.closest(`.only-${other}`);
  };

  const search = (words) => {
    const wanted = (words ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    document.documentElement.toggleAttribute("data-studio-search", wanted.length > 0);
    let all = 0;
    for (const button of document.querySelectorAll("#train [data-jump]")) {
      const section = document.getElementById(button.dataset.jump);
      const title = section?.querySelector(".group-title")?.textContent ?? "";
      let hits = 0;
      for (const setting of section?.querySelectorAll(".setting") ?? []) {
        const text = textOf(setting, title);
        const hit = offered(setting) && wanted.every((word) => text.includes(word));
        setting.toggleAttribute("data-hit", hit);
        hits += hit;
      }
      section?.toggleAttribute("data-hit", hits > 0);
      button.disabled = wanted.length > 0 && !hits;
      button.dataset.hits = wanted.length ? hits || "" : "";
      all += hits;
    }
    const line = document.getElementById("train-hits");
    if (!line) return;
    const found = all === 1 ? "1 setting" : `${all} settings`;
    line.textContent = !wanted.length
      ? ""
      : all ? `${found} with “${words.trim()}”. Esc shows all again.`
      : `No setting has “${words.trim()}”. Try one word of it, or TRL's name.`;
  };

  const clear = (input) => {
    input.value = "";
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const jump = (button) => {
    const section = document.getElementById(button.dataset.jump);
    if (!section) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const list = button.closest("#train-jump");
    section.style.scrollMarginTop = `${list.offsetHeight + 4}px`;
    section.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
    const title = section.querySelector("h3, h4");
    title?.setAttribute("tabindex", "-1");
    title?.focus({ preventScroll: true });
  };

  // The section that is read: the last one whose start has passed the list.
  let marking = false;
  const mark = () => {
    marking = false;
    const list = document.querySelector("#train-jump");
    if (!list?.offsetParent) return;
    const line = list.getBoundingClientRect().bottom + 24;
    let current = null;
    for (const button of list.querySelectorAll("[data-jump]")) {
      button.removeAttribute("aria-current");
      const section = document.getElementById(button.dataset.jump);
      if (section?.classList.contains("fields") && section.offsetParent
        && section.getBoundingClientRect().top <= line) current = button;
    }
    if (!current) return;
    current.setAttribute("aria-current", "true");
    const row = current.closest("ul");
    row.scrollLeft = current.offsetLeft - row.offsetLeft - (row.clientWidth - current.offsetWidth) / 2;
  };

  const download = (file) => {
    if (!file?.text) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([file.text], { type: "application/yaml" }));
    link.download = file.name.replace(/[^\w.-]+/g, "-");
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  // Enter takes what was typed; what the list offers only after an arrow key has chosen it.
  let typed = null;
  const take = (event) => {
    if (event.key.startsWith("Arrow")) typed = null;
    if (event.key !== "Enter" || !typed || event.target !== typed) return;
    event.preventDefault();
    event.stopPropagation();
    typed.blur();
    typed = null;
  };

  // What stands there is chosen as a whole when it is entered, so that typing replaces it.
  let entered = null;
  document.addEventListener("focusin", (event) => {
    entered = event.target.closest?.(".free") && event.target.matches("input") ? event.target : null;
    entered?.select();
  });
  document.addEventListener("mouseup", (event) => {
    if (event.target === entered) entered.select();
    entered = null;
  });
  document.addEventListener("input", (event) => {
    if (event.target.closest?.("#train-search")) search(event.target.value);
    typed = event.target.closest?.(".free") ? event.target : null;
  });
  document.addEventListener("keydown", take, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.closest?.("#train-search")) clear(event.target);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-jump]");
    if (button) jump(button);
  });
  document.addEventListener("scroll", () => {
    if (marking) return;
    marking = true;
    requestAnimationFrame(mark);
  }, { passive: true });
  window.studioTrain = { help, download };
})();
