// The form as a run file for the browser to save.

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
 * Saves each run file that a component is given.
 *
 * @param {Component} component
 */
export const attachRunFile = ({ props, watch }) => {
  watch("value", () => {
    const file = props.value;
    if (!file?.text) return;
    saveFile(new Blob([file.text], { type: "application/yaml" }), fileName(file.name));
  });
};
