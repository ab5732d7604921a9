// The address names the open tab, so that a reload comes back to it (the first needs no name).

import { around } from "../shared/dom.js";

/**
 * Reads which tab an address names; null for the first.
 *
 * @param {string} href
 * @returns {string | null}
 */
export const tabOf = (href) => new URL(href).searchParams.get("tab");

/**
 * Writes a tab into an address.
 *
 * @param {string} href
 * @param {string | null} tab Null for the first, which needs no name.
 * @returns {string}
 */
export const addressWith = (href, tab) => {
  const address = new URL(href);
  if (tab === null) address.searchParams.delete("tab");
  else address.searchParams.set("tab", tab);
  return address.href;
};

/** Keeps the address up to date with the open tab. */
export const startTabAddress = () => {
  let wanted = tabOf(location.href);
  /** @returns {HTMLElement[]} */
  const all = () => [...document.querySelectorAll("#studio-tabs > .tab-wrapper [data-tab-id]")].map(
    (tab) => /** @type {HTMLElement} */ (tab));
  /** @param {HTMLElement[]} tabs */
  const openOf = (tabs) => tabs.find((tab) => tab.getAttribute("aria-selected") === "true");
  const nameTab = () => {
    const tabs = all();
    const open = openOf(tabs);
    // Until the server has opened the tab asked for, the address stays as it is.
    if (!open || (wanted && open.dataset.tabId !== wanted)) return;
    wanted = null;
    const href = addressWith(location.href, open === tabs[0] ? null : String(open.dataset.tabId));
    if (href !== location.href) history.replaceState(history.state, "", href);
  };
  const changes = { subtree: true, attributes: true, attributeFilter: ["aria-selected"] };
  new MutationObserver(nameTab).observe(document.body, changes);
  document.addEventListener("click", (event) => {
    // A page that came with the tab open tells of no change; a link of it may lead to another.
    const there = wanted && openOf(all())?.dataset.tabId === wanted;
    if (there || around(event, "[role=tab], .overflow-dropdown button")) wanted = null;
  }, true);
};
