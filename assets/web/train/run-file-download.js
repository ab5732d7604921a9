// Texts that the server made into files for the browser to save: run files, conversations.

import { saveFile } from "../shared/dom.js";

/** @typedef {import("../shared/gradio-bridge.js").Component} Component */

/**
 * Makes a file name of any name.
 *
 * @param {string} name
 * @returns {string}
 */
export const fileName = (name) => name.replace(/[^\w.-]+/g, "-");

/**
 * Saves each file that a component is given.
 *
 * @param {Component} component
 */
export const attachRunFile = ({ props, watch }) => {
  watch("value", () => {
    const file = props.value;
    if (!file?.text) return;
    saveFile(new Blob([file.text], { type: file.type ?? "application/yaml" }), fileName(file.name));
  });
};
