// The Train form: more about each setting, finding one, and the run file as a download.
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
      else if (!place.querySelector(":scope > .why")) place.append(more(item));
    }
    if (Object.keys(missing).length && tries) {
      setTimeout(() => help(missing, tries - 1), 250);
    }
  };

  const search = (words) => {
    const wanted = (words ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const root = document.documentElement;
    root.toggleAttribute("data-studio-search", wanted.length > 0);
    for (const setting of document.querySelectorAll("#train .setting")) {
      const text = `${setting.id.slice(4)} ${setting.textContent}`.toLowerCase();
      setting.toggleAttribute("data-hit", wanted.every((word) => text.includes(word)));
    }
    for (const group of document.querySelectorAll("#train .fields")) {
      group.toggleAttribute("data-hit", Boolean(group.querySelector(".setting[data-hit]")));
    }
  };

  const download = (file) => {
    if (!file?.text) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([file.text], { type: "application/yaml" }));
    link.download = file.name.replace(/[^\w.-]+/g, "-");
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  document.addEventListener("input", (event) => {
    if (event.target.closest?.("#train-search")) search(event.target.value);
  });
  window.studioTrain = { help, download };
})();
