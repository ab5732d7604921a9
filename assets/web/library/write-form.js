// The form by which a model writes answers, opened from what an import has done.

/** Opens the form, as a click on its title does, and brings it into view. */
export const showWriteForm = () => {
  const form = document.getElementById("write");
  /** @type {HTMLElement | null | undefined} */
  const title = form?.querySelector(":scope > button");
  if (!form?.querySelector("#write-form")?.checkVisibility()) title?.click();
  form?.scrollIntoView({ block: "center" });
};
