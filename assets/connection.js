// What every request of the page carries, and how the page stays known without holding a line.
// A page belongs to whoever opened it: each request names them, and the server refuses it when
// somebody else is logged in by then. Short beats say that the page is open (ui/heartbeats.py): a
// request held open by each page would, in six of them, leave none for a save.
window.StudioConnection = (() => {
  const HEARTBEAT = /\/gradio_api\/heartbeat\/[\w-]+$/;
  const TELLS = /\/studio\/(?!images\/|thumbs\/)/;
  const BEAT_MS = 20000;
  const USER = "X-Studio-User";
  const ACCOUNT = "X-Studio-Account";
  const send = window.fetch.bind(window);
  const page = { own: null, now: null };
  // Whose something is: an account made again under the same name is somebody else.
  const ownerOf = ({ user, account }) => (account ? `${user}/${account}` : user);

  const addressOf = (input) => new URL(input instanceof Request ? input.url : input, location.href);

  // The answers of the studio say who is logged in; the first one says whose page this is.
  const hear = (reply) => {
    const named = reply.headers.get(USER);
    if (named === null) return;
    const account = decodeURIComponent(reply.headers.get(ACCOUNT) ?? "");
    const now = { user: decodeURIComponent(named), account };
    if (page.now && ownerOf(now) === ownerOf(page.now)) return;
    page.own ??= now;
    page.now = now;
    document.dispatchEvent(new CustomEvent("studio:user", { detail: { ...page } }));
  };

  const named = (input, init) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : {}));
    if (page.own === null) return { ...init, headers };
    if (!headers.has(USER)) headers.set(USER, encodeURIComponent(page.own.user));
    headers.set(ACCOUNT, encodeURIComponent(page.own.account));
    return { ...init, headers };
  };

  // Gradio's own heartbeat is answered at once; beats to the same address go on in its place.
  let heartbeat = null;
  const beat = () => heartbeat && send(heartbeat, named(heartbeat)).catch(() => null);
  const watch = (entries) => {
    for (const { name } of entries.getEntries()) {
      if (HEARTBEAT.test(new URL(name).pathname)) heartbeat = name;
    }
  };
  new PerformanceObserver(watch).observe({ type: "resource", buffered: true });
  setInterval(beat, BEAT_MS);
  document.addEventListener("visibilitychange", () => document.hidden || beat());

  window.fetch = async (input, init) => {
    const address = addressOf(input);
    if (address.origin !== location.origin) return send(input, init);
    const reply = await send(input, named(input, init));
    if (TELLS.test(address.pathname)) hear(reply);
    return reply;
  };

  return {
    USER,
    ownerOf,
    get user() {
      return page.own?.user ?? null;
    },
    // Name and account; null before the studio has said them.
    get own() {
      return page.own;
    },
  };
})();
