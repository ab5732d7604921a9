// What the server makes of a run, file or text: the button says that it is at it, and what went wrong.

import { around, element, saveFile } from "../shared/dom.js";

/**
 * Reads a file's name in the header of an answer, else in its address.
 *
 * @param {string | null} disposition
 * @param {string} pathname
 * @returns {string}
 */
export const fileNameOf = (disposition, pathname) =>
  /filename="([^"]+)"/.exec(disposition ?? "")?.[1] ?? pathname.split("/").pop() ?? "";

/**
 * Says why the server refused.
 *
 * @param {{ message?: string, remedy?: string, field?: string }} told
 * @param {number} status
 * @returns {string}
 */
export const refusal = ({ message, remedy, field }, status) => {
  if (!message) return `The server answered ${status}.`;
  const where = field && !message.includes(field) ? `${field}:` : "";
  return [where, message, remedy].filter(Boolean).join(" ");
};

/**
 * Writes beside a button what went wrong; nothing takes it away.
 *
 * @param {HTMLElement} button
 * @param {string} text
 */
const tell = (button, text) => {
  const place = button.closest(".run-exports, form");
  place?.querySelector(".file-trouble")?.remove();
  if (text) place?.append(element("p", "file-trouble field-error", text, { role: "alert" }));
};

/**
 * Asks the server, while the button says so.
 *
 * @param {HTMLElement} button
 * @param {string} address
 * @param {(reply: Response) => Promise<void>} take
 */
const ask = async (button, address, take) => {
  if (button.getAttribute("aria-busy") === "true") return;
  const label = button.textContent;
  button.setAttribute("aria-busy", "true");
  button.textContent = "Writing …";
  tell(button, "");
  try {
    const reply = await fetch(address);
    if (reply.ok) await take(reply);
    else tell(button, refusal(await reply.json().catch(() => ({})), reply.status));
  } catch {
    tell(button, "The studio does not answer. Is it still running?");
  }
  button.removeAttribute("aria-busy");
  button.textContent = label;
};

/**
 * @param {HTMLElement} button
 * @param {string} address
 */
const download = (button, address) => ask(button, address, async (reply) => {
  const disposition = reply.headers.get("content-disposition");
  const { pathname } = new URL(address, document.baseURI);
  saveFile(await reply.blob(), fileNameOf(disposition, pathname));
});

/**
 * @param {HTMLElement} button
 * @param {string} address
 * @param {HTMLElement} place
 */
const show = (button, address, place) => ask(button, address, async (reply) => {
  const { sent, trouble } = await reply.json();
  place.textContent = JSON.stringify(sent, null, 2);
  place.hidden = false;
  tell(button, trouble);
});

/** Fetches what forms and links of a run ask for, so that a refusal is told beside the button. */
export const startExportFiles = () => {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement)) return;
    const { file, look } = form.dataset;
    const button = form.querySelector("button");
    const place = form.querySelector("pre");
    if (!(file || look) || !button) return;
    event.preventDefault();
    if (look && place) show(button, look, place);
    else if (file) {
      const fields = /** @type {[string, string][]} */ ([...new FormData(form)]);
      download(button, `${file}?${new URLSearchParams(fields)}`);
    }
  });
  document.addEventListener("click", (event) => {
    const link = around(event, "#run-exports a[download]");
    if (!(link instanceof HTMLAnchorElement)) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    download(link, link.href);
  });
};
