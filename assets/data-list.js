// Clicks on rows, datasets and ticks; the handler in Python is told which.
let ticks = 0;
const told = (target) => {
  const tick = target.closest("[data-tick]");
  if (tick) {
    ticks += 1;
    askAgain();
    return { tick: tick.dataset.tick, on: tick.checked, number: ticks };
  }
  const found = target.closest("[data-item],[data-dataset],[data-reveal],[data-veil]");
  return found ? { ...found.dataset } : null;
};
const show = (item) => {
  for (const row of element.querySelectorAll("[data-item]")) {
    const open = String(row.dataset.item === item);
    row.setAttribute(row.matches("tr") ? "aria-selected" : "aria-pressed", open);
  }
};
element.addEventListener("click", (event) => {
  const picked = told(event.target);
  if (!picked) return;
  if (picked.tick === "page") {
    for (const box of element.querySelectorAll("[data-tick]")) box.checked = picked.on;
  }
  if (picked.item) show(picked.item);
  trigger("click", picked);
});
element.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches("[data-item]")) return;
  show(event.target.dataset.item);
  trigger("click", { ...event.target.dataset });
});
// The address names what is looked at: an empty value is none.
let named = null;
const name = () => {
  const look = element.querySelector("[data-address]")?.dataset.address;
  if (look === undefined || look === named) return;
  named = look;
  const address = new URL(location.href);
  for (const [key, value] of new URLSearchParams(look)) {
    if (value) address.searchParams.set(key, value);
    else address.searchParams.delete(key);
  }
  history.replaceState(history.state, "", address);
};
// A box that was clicked no longer follows its attribute, so new rows set it here. Rows that were on
// their way while something was ticked do not show that tick yet: those that follow will.
let drawn = null;
let newest = 0;
// An answer that overtook the one before it, or never came: after a moment the page asks again.
const AGAIN_MS = 1000;
let asking = null;
const isOld = (rows) => Number(rows.drawn) < newest || Number(rows.ticks) < ticks;
const askAgain = () => {
  asking ??= setTimeout(() => {
    asking = null;
    const rows = element.querySelector("[data-drawn]")?.dataset;
    if (rows && isOld(rows)) trigger("click", { again: true, number: ticks });
  }, AGAIN_MS);
};
const tickAsDrawn = () => {
  const rows = element.querySelector("[data-drawn]")?.dataset;
  if (!rows || rows.drawn === drawn) return;
  if (isOld(rows)) {
    askAgain();
    return;
  }
  newest = Number(rows.drawn);
  drawn = rows.drawn;
  for (const box of element.querySelectorAll("[data-tick]")) box.checked = box.hasAttribute("checked");
};
// Where only an attribute differs, nothing else of the element is made anew.
new MutationObserver(() => { name(); tickAsDrawn(); }).observe(element, {
  childList: true, subtree: true, attributeFilter: ["data-address", "data-drawn"],
});
name();
