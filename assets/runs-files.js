// Files that the server makes of a run: the button says that it is at it, and what went wrong.
(() => {
  const nameOf = (reply, link) =>
    /filename="([^"]+)"/.exec(reply.headers.get("content-disposition") ?? "")?.[1]
    ?? link.pathname.split("/").pop();

  const save = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };

  const tell = (link, text) => {
    const place = link.closest(".run-exports, form");
    place.querySelector(".file-trouble")?.remove();
    if (!text) return;
    const note = document.createElement("p");
    note.className = "file-trouble field-error";
    note.setAttribute("role", "alert");
    note.textContent = text;
    place.append(note);
  };

  const fetched = async (link, address) => {
    if (link.getAttribute("aria-busy") === "true") return;
    const label = link.textContent;
    link.setAttribute("aria-busy", "true");
    link.textContent = "Writing …";
    tell(link, "");
    try {
      const reply = await fetch(address);
      if (reply.ok) save(await reply.blob(), nameOf(reply, new URL(address)));
      else {
        const { message, remedy } = await reply.json().catch(() => ({}));
        tell(link, [message ?? `The server answered ${reply.status}.`, remedy].join(" ").trim());
      }
    } catch {
      tell(link, "The studio does not answer. Is it still running?");
    }
    link.removeAttribute("aria-busy");
    link.textContent = label;
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("#run-exports a[download]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    fetched(link, link.href);
  });
})();
