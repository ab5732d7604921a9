// What the server makes of a run, file or text: the button says that it is at it, and what went wrong.
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

  const refusal = ({ message, remedy, field }, status) => {
    if (!message) return `The server answered ${status}.`;
    const where = field && !message.includes(field) ? `${field}:` : "";
    return [where, message, remedy].filter(Boolean).join(" ");
  };

  const fetched = async (button, address, take) => {
    if (button.getAttribute("aria-busy") === "true") return;
    const label = button.textContent;
    button.setAttribute("aria-busy", "true");
    button.textContent = "Writing …";
    tell(button, "");
    try {
      const reply = await fetch(address);
      if (reply.ok) await take(reply);
      else {
        tell(button, refusal(await reply.json().catch(() => ({})), reply.status));
      }
    } catch {
      tell(button, "The studio does not answer. Is it still running?");
    }
    button.removeAttribute("aria-busy");
    button.textContent = label;
  };

  const download = (button, address) => fetched(button, address, async (reply) => {
    save(await reply.blob(), nameOf(reply, new URL(address, document.baseURI)));
  });

  const show = (button, address, place) => fetched(button, address, async (reply) => {
    const { sent, trouble } = await reply.json();
    place.textContent = JSON.stringify(sent, null, 2);
    place.hidden = false;
    tell(button, trouble);
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const { file, look } = form.dataset;
    if (!file && !look) return;
    event.preventDefault();
    const button = form.querySelector("button");
    if (look) show(button, look, form.querySelector("pre"));
    else download(button, `${file}?${new URLSearchParams(new FormData(form))}`);
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("#run-exports a[download]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    download(link, link.href);
  });
})();
