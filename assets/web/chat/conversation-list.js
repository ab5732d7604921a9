// The list of conversations: opening, renaming, exporting, deleting; the shown one after a reload.

import { around } from "../shared/dom.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

const KEPT = "studio-conversation";

/**
 * Tells what is to be done to a conversation, and opens the one shown before a reload again.
 *
 * Which one that was is kept for this tab of the browser only.
 *
 * @param {Component} component
 */
export const attachChatList = ({ element, trigger, watch }) => {
  element.addEventListener("click", (event) => {
    const row = around(event, "[data-open-chat]");
    if (row) trigger("click", { act: "open", id: row.dataset.openChat });
    const tool = around(event, "[data-do]");
    if (tool) manage(tool, trigger);
  });
  const before = sessionStorage.getItem(KEPT);
  watch("value", () => {
    const list = element.querySelector("[data-open]");
    if (list instanceof HTMLElement) remember(list.dataset.open ?? "");
  });
  if (before) trigger("click", { act: "open", id: before });
};

/** @param {string} id */
const remember = (id) => {
  if (id) sessionStorage.setItem(KEPT, id);
  else sessionStorage.removeItem(KEPT);
};

/**
 * @param {HTMLElement} tool
 * @param {Component["trigger"]} trigger
 */
const manage = (tool, trigger) => {
  const { do: act, id, name = "" } = tool.dataset;
  if (act === "rename") {
    const wanted = prompt("Name of the conversation", name)?.trim();
    if (wanted) trigger("click", { act, id, name: wanted });
  } else if (act !== "delete" || confirm(`Delete the conversation "${name}"?`)) {
    trigger("click", { act, id });
  }
};
