// Clicks on rows, datasets and ticks; the handler in Python is told which.
const told = (target) => {
  const tick = target.closest("[data-tick]");
  if (tick) return { tick: tick.dataset.tick, on: tick.checked };
  const found = target.closest("[data-item],[data-dataset]");
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
