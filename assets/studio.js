// Light and dark, the pulse that has parts of the page look again, and the crosshair of the charts.
// Text from data goes through textContent only.
(() => {
  const KEY = "studio-theme";
  const PULSE_MS = 1500;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const applyTheme = () => {
    const wish = localStorage.getItem(KEY);
    document.body.classList.toggle("dark", wish ? wish === "dark" : dark.matches);
  };
  const start = () => {
    applyTheme();
    dark.addEventListener("change", applyTheme);
    document.addEventListener("click", onClick);
    document.addEventListener("click", onTab, true);
    const changes = { subtree: true, attributes: true, attributeFilter: ["aria-selected"] };
    new MutationObserver(nameTab).observe(document.body, changes);
    document.addEventListener("pointermove", onMove);
    document.addEventListener("pointerout", onLeave);
    document.addEventListener("visibilitychange", feelPulse);
    setInterval(feelPulse, PULSE_MS);
    feelPulse(); // Its answer says first whose page this is.
  };

  // Asked only while the page can be seen; a lost connection is asked again at the next beat.
  let asking = false;
  const feelPulse = async () => {
    if (document.hidden || asking) return;
    asking = true;
    const signal = AbortSignal.timeout(10 * PULSE_MS);
    const now = await fetch(new URL("studio/pulse", document.baseURI), { signal })
      .then((reply) => (reply.ok ? reply.text() : null))
      .catch(() => null);
    asking = false;
    if (now !== null) document.dispatchEvent(new CustomEvent("studio:pulse", { detail: now }));
  };

  const onClick = (event) => {
    if (!event.target.closest?.("[data-studio='theme']")) return;
    localStorage.setItem(KEY, document.body.classList.contains("dark") ? "light" : "dark");
    applyTheme();
  };

  // The address names the open tab, so that a reload comes back to it (the first needs no name).
  let wanted = new URL(location.href).searchParams.get("tab");
  const nameTab = () => {
    const tabs = [...document.querySelectorAll("#studio-tabs > .tab-wrapper [data-tab-id]")];
    const open = tabs.find((tab) => tab.getAttribute("aria-selected") === "true");
    // Until the server has opened the tab asked for, the address stays as it is.
    if (!open || (wanted && open.dataset.tabId !== wanted)) return;
    wanted = null;
    const address = new URL(location.href);
    if (open === tabs[0]) address.searchParams.delete("tab");
    else address.searchParams.set("tab", open.dataset.tabId);
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  };
  const onTab = (event) => {
    if (event.target.closest?.("[role=tab], .overflow-dropdown button")) wanted = null;
  };

  const number = (value, percent) => {
    if (percent) return `${(100 * value).toPrecision(3)} %`;
    return value && (Math.abs(value) >= 1e4 || Math.abs(value) < 1e-4)
      ? value.toExponential(2)
      : String(Number(value.toPrecision(4)));
  };
  const nearest = (points, step) =>
    points.reduce((best, point) =>
      Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best);

  const onMove = (event) => {
    const body = event.target.closest?.(".plot-body");
    if (!body) return;
    const box = body.querySelector("svg").getBoundingClientRect();
    const left = Number(body.dataset.left);
    const right = Number(body.dataset.right);
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const wanted = left + share * (right - left);
    const lines = JSON.parse(body.dataset.lines);
    const step = nearest(lines[0].points, wanted)[0];
    const cross = body.querySelector(".plot-cross");
    const tip = body.querySelector(".plot-tip");
    const at = right > left ? (step - left) / (right - left) : 0;
    cross.style.left = `${100 * at}%`;
    tip.style.left = `${100 * at}%`;
    tip.classList.toggle("flip", at > 0.6);
    tip.replaceChildren(row(`${body.dataset.unit} ${step.toLocaleString("en")}`));
    for (const line of lines) {
      const [, value] = nearest(line.points, step);
      tip.append(row(`${line.label} ${number(value, body.dataset.percent === "1")}`, line.tone));
    }
    cross.hidden = tip.hidden = false;
  };
  const row = (text, tone) => {
    const element = document.createElement("div");
    element.textContent = text;
    if (tone) element.style.color = `var(--studio-${tone})`;
    return element;
  };
  const onLeave = (event) => {
    const body = event.target.closest?.(".plot-body");
    if (!body || body.contains(event.relatedTarget)) return;
    body.querySelector(".plot-cross").hidden = true;
    body.querySelector(".plot-tip").hidden = true;
  };

  // Problems of a form, each under its field: [{field: "batch.total", text: "…"}].
  window.studioFieldErrors = (problems) => {
    document.querySelectorAll(".field-error").forEach((element) => element.remove());
    document.querySelectorAll("[data-error]").forEach((element) => {
      element.removeAttribute("data-error");
    });
    for (const { field, text } of problems ?? []) {
      const place = placeOf(field);
      if (!place) continue;
      place.setAttribute("data-error", "");
      place.closest(".fields")?.setAttribute("data-error", "");
      const note = row(text);
      note.className = "field-error";
      note.setAttribute("role", "alert");
      place.append(note);
    }
  };
  const placeOf = (field) => {
    for (let parts = field.split("."); parts.length; parts = parts.slice(0, -1)) {
      const place = document.getElementById(`set-${parts.join("-")}`);
      if (place) return place;
    }
    return null;
  };

  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);
})();
