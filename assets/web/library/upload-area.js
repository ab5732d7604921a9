// The drop area of the import form: what was sent is one upload, and more can be dropped to join it.

import { around, element as make } from "../shared/dom.js";
import { chosenFiles, droppedFiles, many, sizeOf } from "./dropped-files.js";
import { UploadError, dropUpload, findUpload, sendFiles } from "./upload-requests.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */
/** @typedef {import("./dropped-files.js").Dropped} Dropped */
/** @typedef {import("./upload-requests.js").Upload} Upload */

const KEPT = "studio-upload"; // of this tab only, for a reload
const INVITES = "Drop files or a whole folder here";
const WHAT = "The rows together with their images, a folder as it lies on your disk, or a ZIP.";
const MORE = "Something missing, its images perhaps? Drop it here too: it joins this upload.";

class UploadArea {
  /** @param {Component} component */
  constructor({ element, trigger }) {
    this.element = element;
    this.trigger = trigger;
    /** @type {Upload | null} */
    this.upload = null;
    /** @type {{ stop: AbortController, files: number, bytes: number, sent: number } | null} */
    this.sending = null;
    this.trouble = "";
    this.hidden = 0;
    /** @type {string | undefined} */
    this.gone = undefined;
    element.addEventListener("click", (event) => this.clicked(event));
    element.addEventListener("change", (event) => this.chosen(event));
    for (const kind of ["dragenter", "dragover"]) element.addEventListener(kind, (event) => {
      event.preventDefault();
      this.place()?.classList.add("over");
    });
    element.addEventListener("dragleave", (event) => {
      if (!element.contains(/** @type {Node | null} */ (event.relatedTarget))) this.leave();
    });
    element.addEventListener("drop", (event) => this.dropped(event));
    new MutationObserver(() => this.follow()).observe(element, {
      childList: true, subtree: true, attributeFilter: ["data-gone"],
    });
    this.restore();
    this.draw();
  }

  place() {
    return /** @type {HTMLElement | null} */ (this.element.querySelector("[data-upload-area]"));
  }

  /** Draws anew where Gradio has emptied the place, and forgets an upload that was imported. */
  follow() {
    const place = this.place();
    if (!place) return;
    const { gone } = place.dataset;
    if (gone && gone !== this.gone) {
      this.gone = gone;
      if (this.upload && gone.endsWith(this.upload.upload)) this.forget();
    }
    if (!place.hasChildNodes()) this.draw();
  }

  /** Brings back what this tab had sent before it was loaded again. */
  async restore() {
    const key = sessionStorage.getItem(KEPT);
    if (!key || !/^[0-9a-f]{16}$/.test(key)) return;
    const found = await findUpload(key);
    if (found && !this.upload && !this.sending) this.take(found, true);
    else if (!found) sessionStorage.removeItem(KEPT);
  }

  /**
   * @param {Upload} upload
   * @param {boolean} again whether it was here before
   */
  take(upload, again = false) {
    this.upload = upload;
    sessionStorage.setItem(KEPT, upload.upload);
    this.draw();
    this.trigger("submit", { upload: upload.upload, again });
  }

  forget() {
    this.upload = null;
    this.hidden = 0;
    sessionStorage.removeItem(KEPT);
    this.draw();
  }

  leave() {
    this.place()?.classList.remove("over");
  }

  /** @param {Event} event */
  clicked(event) {
    const act = around(event, "[data-upload-act]")?.dataset.uploadAct;
    if (act === "files" || act === "folder") {
      const field = /** @type {HTMLInputElement | null} */ (
        this.element.querySelector(`input[data-upload-field="${act}"]`));
      field?.click();
    } else if (act === "stop") this.sending?.stop.abort();
    else if (act === "remove" && this.upload) {
      const key = this.upload.upload;
      dropUpload(key);
      this.forget();
      this.trigger("submit", { upload: "", removed: key });
    }
  }

  /** @param {Event} event */
  chosen(event) {
    const field = around(event, "input[data-upload-field]");
    if (!(field instanceof HTMLInputElement) || !field.files) return;
    const found = chosenFiles(field.files);
    field.value = "";
    this.send(found);
  }

  /** @param {Event} event */
  async dropped(event) {
    event.preventDefault();
    this.leave();
    const items = Array.from(/** @type {DragEvent} */ (event).dataTransfer?.items ?? []);
    // Not after a wait: the browser forgets what was dropped.
    const entries = items.filter(({ kind }) => kind === "file").map((item) => item.webkitGetAsEntry());
    if (!entries.length) return;
    try {
      await this.send(await droppedFiles(entries));
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.tell("The browser could not read what was dropped. Choose it with the buttons.");
    }
  }

  /** @param {Dropped} found */
  async send({ taken, hidden }) {
    if (this.sending) {
      this.tell("Other files are on their way. Drop these when they are there.");
      return;
    }
    if (!taken.length && hidden) {
      this.tell("There are only hidden files in it, which are not sent.");
      return;
    }
    const stop = new AbortController();
    const bytes = taken.reduce((sum, { file }) => sum + file.size, 0);
    this.sending = { stop, files: taken.length, bytes, sent: 0 };
    this.trouble = "";
    this.draw();
    try {
      const made = await sendFiles(taken, this.upload?.upload ?? "", stop.signal, (sent) => {
        if (this.sending) this.sending.sent = sent;
        this.draw();
      });
      this.sending = null;
      this.hidden += hidden;
      this.take(made);
    } catch (error) {
      this.sending = null;
      if (stop.signal.aborted) this.tell("Stopped; none of these files was kept.");
      else if (error instanceof UploadError) this.tell(error.message);
      else {
        this.draw();
        throw error;
      }
    }
  }

  /** @param {string} words */
  tell(words) {
    this.trouble = words;
    this.draw();
  }

  draw() {
    const place = this.place();
    if (!place) return;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset?.uploadAct;
    const parts = this.sending ? this.drawSending(this.sending) : this.drawHeld();
    if (this.trouble) parts.push(make("p", "upload-trouble", this.trouble, { role: "alert" }));
    place.replaceChildren(...parts);
    if (!focused) return;
    /** @type {HTMLElement | null} */ (
      place.querySelector(`[data-upload-act="${focused}"]`) ?? place.querySelector("button"))?.focus();
  }

  /**
   * @param {{ files: number, bytes: number, sent: number }} sending
   * @returns {HTMLElement[]}
   */
  drawSending({ files, bytes, sent }) {
    const share = bytes ? Math.round((100 * sent) / bytes) : 0;
    const bar = make("div", "bar", "", {
      role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": share,
      "aria-label": "Sent",
    });
    const inside = make("i");
    inside.style.width = `${share}%`;
    bar.append(inside);
    const words = `Sending ${many(files, "file")} · ${sizeOf(sent)} of ${sizeOf(bytes)}`;
    return [make("p", "upload-line tabular", words), bar, this.drawActions([["stop", "Stop"]])];
  }

  /** @returns {HTMLElement[]} */
  drawHeld() {
    const parts = [];
    if (this.upload) {
      const { label, files, bytes, names } = this.upload;
      const line = make("p", "upload-line");
      line.append(make("b", "", label), ` · ${many(files, "file")} · ${sizeOf(bytes)}`);
      parts.push(line);
      if (files > 1) {
        const rest = files > names.length ? ` and ${(files - names.length).toLocaleString("en-US")} more` : "";
        parts.push(make("p", "quiet upload-names", `${names.join(", ")}${rest}`));
      }
    } else parts.push(make("p", "upload-line upload-title", INVITES));
    parts.push(make("p", "quiet", this.upload ? MORE : WHAT));
    if (this.upload && this.hidden) {
      parts.push(make("p", "quiet", `${many(this.hidden, "hidden file")} not sent.`));
    }
    const acts = /** @type {[string, string][]} */ (this.upload
      ? [["files", "Add files"], ["folder", "Add a folder"], ["remove", "Remove"]]
      : [["files", "Choose files"], ["folder", "Choose a folder"]]);
    const fields = [
      make("input", "", "", { type: "file", multiple: "", "data-upload-field": "files" }),
      make("input", "", "", { type: "file", webkitdirectory: "", "data-upload-field": "folder" }),
    ];
    for (const field of fields) {
      field.hidden = true;
      field.setAttribute("aria-label", "Files to import");
    }
    return [...parts, this.drawActions(acts), ...fields];
  }

  /** @param {[string, string][]} acts */
  drawActions(acts) {
    const row = make("div", "upload-acts");
    for (const [act, words] of acts) {
      row.append(make("button", "", words, { type: "button", "data-upload-act": act }));
    }
    return row;
  }
}

/**
 * Brings the drop area to life.
 *
 * @param {Component} component
 */
export const attachUploadArea = (component) => {
  new UploadArea(component);
};
