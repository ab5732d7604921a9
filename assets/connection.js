// What every request of the page carries, and how the page stays known without holding a line.
// A page belongs to whoever opened it: each request names them, and the server refuses it when
// somebody else is logged in by then. Its events also name the start of the studio that it was made
// by (api/access/page_user.py). Short beats say that the page is open (ui/shell/heartbeats.py): a
// request held open by each page would, in six of them, leave none for a save.
window.StudioConnection = (() => {
  const HEARTBEAT = /\/gradio_api\/heartbeat\/[\w-]+$/;
  const TELLS = /\/studio\/(?!images\/|thumbs\/)/;
  const BEAT_MS = 20000;
  const USER = "X-Studio-User";
  const ACCOUNT = "X-Studio-Account";
  const ROLE = "X-Studio-Role";
  const START = "X-Studio-Start";
  const EVENTS = /\/gradio_api\/(queue\/join|run\/predict\/?)$/;
  const ASKS_AGAIN = /\/gradio_api\/app_id\/?$/; // what Gradio's page does once it has lost the studio
  // The annotators' page has all it needs in the browser: a restart is nothing to it.
  const KEEPS_STATE = !/\/annotate\/?$/.test(location.pathname);
  const send = window.fetch.bind(window);
  const page = { own: null, now: null, role: null, start: null };
  // Whose something is: an account made again under the same name is somebody else.
  const ownerOf = ({ user, account }) => (account ? `${user}/${account}` : user);
  const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

  const addressOf = (input) => new URL(input instanceof Request ? input.url : input, location.href);

  // The answers of the studio say who is logged in; the first one says whose page this is.
  const hear = (reply) => {
    const named = reply.headers.get(USER);
    if (named === null) return;
    const account = decodeURIComponent(reply.headers.get(ACCOUNT) ?? "");
    const now = { user: decodeURIComponent(named), account };
    const role = reply.headers.get(ROLE);
    if (page.now && ownerOf(now) === ownerOf(page.now) && role === page.role) return;
    page.own ??= now;
    page.now = now;
    page.role = role;
    tell("studio:user", { ...page });
  };
  const hearStart = (reply) => {
    const start = reply.headers.get(START);
    if (start === null || start === page.start) return;
    page.start ??= start;
    if (start !== page.start) tell("studio:restart", { ...page });
  };

  const named = (input, init, pathname) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : {}));
    if (page.start !== null && EVENTS.test(pathname)) headers.set(START, page.start);
    if (page.own === null) return { ...init, headers };
    if (!headers.has(USER)) headers.set(USER, encodeURIComponent(page.own.user));
    headers.set(ACCOUNT, encodeURIComponent(page.own.account));
    return { ...init, headers };
  };

  // Gradio's own heartbeat is answered at once; beats to the same address go on in its place.
  let heartbeat = null;
  const beat = () => heartbeat && send(heartbeat, named(heartbeat, {}, "")).catch(() => null);
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
    if (ASKS_AGAIN.test(address.pathname)) tell("studio:lost");
    const reply = await send(input, named(input, init, address.pathname));
    if (TELLS.test(address.pathname)) hear(reply);
    if (KEEPS_STATE) hearStart(reply);
    if (reply.status === 401) {
      page.now = null; // so that whoever logs in then is news
      tell("studio:out", page.own);
    }
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
    // The same as one word.
    get owner() {
      return page.own && ownerOf(page.own);
    },
    get start() {
      return page.start;
    },
  };
})();
