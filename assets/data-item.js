// Texts of the open row become fields where they stand; what was typed stays until it is saved.
const button = (text, kind) => {
  const made = document.createElement("button");
  made.textContent = text;
  made.dataset[kind] = "";
  return made;
};
const open = (place) => {
  if (place.querySelector("textarea")) return;
  const field = document.createElement("textarea");
  field.value = place.dataset.text;
  field.rows = Math.min(14, 2 + field.value.length / 40 + field.value.split("\n").length);
  field.setAttribute("aria-label", "Text");
  const actions = document.createElement("div");
  actions.className = "edit-actions";
  actions.append(button("Save", "save"), button("Cancel", "cancel"));
  place.append(field, actions);
  place.classList.add("editing");
  field.focus();
};
const close = (place) => {
  place.classList.remove("editing");
  place.querySelector("textarea").remove();
  place.querySelector(".edit-actions").remove();
};
const save = (place) => {
  const row = place.closest("[data-id]").dataset;
  trigger("submit", {
    item: row.id,
    revision: row.revision,
    candidate: place.dataset.candidate,
    veiled: "veiled" in row,
    text: place.querySelector("textarea").value,
  });
};
element.addEventListener("click", (event) => {
  const act = event.target.closest("[data-act]");
  if (act) trigger("click", { act: act.dataset.act, item: act.closest("[data-id]").dataset.id });
  const place = event.target.closest(".editable");
  if (!place) return;
  if (event.target.closest("[data-edit]")) open(place);
  else if (event.target.closest("[data-cancel]")) close(place);
  else if (event.target.closest("[data-save]")) save(place);
});
element.addEventListener("keydown", (event) => {
  const place = event.target.closest("textarea") && event.target.closest(".editable");
  if (!place || event.isComposing) return;
  if (event.key === "Escape") close(place);
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save(place);
});
// The address always names the open row.
let named = null;
const name = () => {
  const shown = element.querySelector("[data-id]")?.dataset.id ?? null;
  if (shown === named) return;
  named = shown;
  const address = new URL(location.href);
  if (shown) address.searchParams.set("row", shown);
  else address.searchParams.delete("row");
  history.replaceState(history.state, "", address);
};
new MutationObserver(name).observe(element, {
  childList: true, subtree: true, attributeFilter: ["data-id"],
});
name();
