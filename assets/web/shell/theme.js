// Light and dark: what somebody chose in this browser, else what their system says.

import { around } from "../shared/dom.js";

const KEY = "studio-theme";

/** Draws the page in the colours that are wanted, and follows the switch in the header. */
export const startTheme = () => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const wish = localStorage.getItem(KEY);
    document.body.classList.toggle("dark", wish ? wish === "dark" : system.matches);
  };
  apply();
  system.addEventListener("change", apply);
  document.addEventListener("click", (event) => {
    if (!around(event, "[data-studio='theme']")) return;
    localStorage.setItem(KEY, document.body.classList.contains("dark") ? "light" : "dark");
    apply();
  });
};
