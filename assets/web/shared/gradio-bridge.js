// The one global of the page, for the scripts that Gradio makes of text.

/**
 * What Gradio hands to a component's script.
 *
 * @typedef {object} Component
 * @property {HTMLElement} element Where the component is drawn.
 * @property {(event: string, data?: object) => void} trigger Calls a handler in Python.
 * @property {Record<string, any>} props
 * @property {(names: string | string[], changed: () => void) => void} watch
 */

/** @typedef {(component: Component) => void} Attach */
/** @typedef {(...values: any[]) => any} Hook */

/**
 * Opens `window.studio`, by which Gradio's components and events reach the page's modules.
 *
 * Gradio takes scripts of components (`js_on_load`) and of events (`js`) as text and makes functions
 * of it, outside of every module: they can name globals, and no imports. `import()` is no way out:
 * it would look for the modules beside the page and not in their folder, and a component whose
 * script arrives later misses the first click. So everything they call is listed in main.js, and
 * studio/ui/shared/page_scripts.py writes the calls.
 *
 * @param {Record<string, Attach>} components
 * @param {Record<string, Hook>} hooks
 */
export const openBridge = (components, hooks) => {
  const studio = {
    /**
     * Brings a component that Gradio has just built to life.
     *
     * @param {string} name
     * @param {Component} component
     */
    attach: (name, component) => named(components, name)(component),
    /**
     * Works out what an event sends, or does what it asks for.
     *
     * @param {string} name
     * @param {any[]} values
     */
    run: (name, ...values) => named(hooks, name)(...values),
  };
  Object.assign(window, { studio });
};

/**
 * @template Found
 * @param {Record<string, Found>} table
 * @param {string} name
 * @returns {Found}
 */
const named = (table, name) => {
  if (!Object.hasOwn(table, name)) throw new Error(`main.js lists no ${name}`);
  return table[name];
};
