// What every request of the page carries, and how the page stays known without holding a line.
// A page belongs to whoever opened it: each request names them, and the server refuses it when
// somebody else is logged in by then. Gradio holds one request open per page; browsers allow six
// per address, so six open pages would leave none for a save. Short beats take its place.
window.StudioConnection = (() => {
  const HEARTBEAT = /\/gradio_api\/heartbeat\/[\w-]+$/;
  const TELLS = /\/studio\/(?!images\/|thumbs\/)/;
  const BEAT_MS = 20000;
  const USER = "X-Studio-User";
  const send = window.fetch.bind(window);
  const page = { user: null, now: null };

  const addressOf = (input) => new URL(input instanceof Request ? input.url : input, location.href);

  // The answers of the studio say who is logged in; the first one says whose page this is.
  const hear = (reply) => {
    const named = reply.headers.get(USER);
    if (named === null) return;
    const now = decodeURIComponent(named);
    if (now === page.now) return;
    page.user ??= now;
    page.now = now;
    document.dispatchEvent(new CustomEvent("studio:user", { detail: { ...page } }));
  };

  const named = (input, init) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : {}));
    if (page.user !== null && !headers.has(USER)) headers.set(USER, encodeURIComponent(page.user));
    return { ...init, headers };
  };

  // What Gradio takes for its open line: it never ends before Gradio ends it.
  const held = (address, signal) => {
    const beat = () =>
      send(address, named(address, { headers: { "X-Studio-Beat": "1" } })).catch(() => null);
    const seen = () => document.hidden || beat();
    const timer = setInterval(beat, BEAT_MS);
    document.addEventListener("visibilitychange", seen);
    beat();
    const start = (line) => signal?.addEventListener("abort", () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", seen);
      line.error(signal.reason);
    });
    const headers = { "Content-Type": "text/event-stream" };
    return Promise.resolve(new Response(new ReadableStream({ start }), { headers }));
  };

  window.fetch = async (input, init) => {
    const address = addressOf(input);
    if (address.origin !== location.origin) return send(input, init);
    if (HEARTBEAT.test(address.pathname)) return held(address, init?.signal);
    const reply = await send(input, named(input, init));
    if (TELLS.test(address.pathname)) hear(reply);
    return reply;
  };

  return {
    USER,
    get user() {
      return page.user;
    },
  };
})();
