// The page's frame: one client, the place of the current URL, and what stands above every place.

import { Client, NoAnswer, Refused } from "../client/client.js";
import { avatar, byId, clone, setText } from "../common/dom.js";
import { allGames, gameOf, setGames } from "./games.js";
import { Invites } from "./invites.js";
import { plainWords, showPing, showStatus, toast } from "./notices.js";
import { placeOf, urlOf } from "./places.js";
import * as session from "./session.js";
import { keepTalks } from "./talks.js";
import { listenToTheme } from "./theme_choice.js";

const BAD_TOKEN = 1008;
/** Half of all states: the views show the motion between them. */
const FRAME_HZ = 30;
const PING_INTERVAL_MS = 10_000;
/** Errors that need no message: both may press "Start", and a key may arrive after the end. */
const HARMLESS = new Set(["MATCH_ALREADY_STARTED", "MATCH_NOT_RUNNING", "MATCH_PAUSED"]);

/** @typedef {{id: number | string, name: string}} User */

/** The answer of the service to a REST request that it did not carry out. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status of HTTP; 0 without an answer
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** What a place may use; what it listens to ends when it is left. */
export class App {
  /** @type {(() => void)[]} */ #ends = [];

  /** @returns {Client} */
  get client() {
    return /** @type {Client} */ (client);
  }

  /** @returns {User | null} null until the first connection */
  get me() {
    return client?.user ?? null;
  }

  get games() {
    return allGames();
  }

  /** @returns {Set<string>} users with a pending invite of this user */
  get invited() {
    return invites.sent;
  }

  gameOf = gameOf;
  toast = toast;
  urlOf = urlOf;
  go = go;

  /**
   * Executes a command; errors are shown to the user.
   * @param {any} command
   * @returns {Promise<boolean>} whether it was executed
   */
  async act(command) {
    try {
      await client?.request(command);
      return true;
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  /** @param {unknown} error of a request; it is shown to the user */
  failed(error) {
    if (error instanceof NoAnswer) toast("The server did not answer. Try again.");
    else if (error instanceof ApiError) toast(error.message);
    else if (error instanceof Refused) refused(error);
  }

  /**
   * @param {any} command
   * @returns {Promise<any>} the answer
   */
  request(command) {
    return this.client.request(command);
  }

  /** @param {any} message @returns {boolean} whether it was sent */
  send(message) {
    return Boolean(client?.send(message));
  }

  /**
   * Listens to the client until the place is left.
   * @param {string} type
   * @param {(event: any) => void} listener
   */
  on(type, listener) {
    this.atEnd(this.client.on(/** @type {any} */ (type), listener));
  }

  /**
   * Calls `react` now, if the client is online, and whenever it comes online.
   * @param {(resumed: boolean) => void} react `resumed`: all missed messages were delivered
   */
  whenOnline(react) {
    this.on("status", (status) => status.state === "online" && react(status.resumed));
    if (client?.status.state === "online") react(false);
  }

  /**
   * Calls `react` now, and when the service has listed its games.
   * @param {() => void} react
   */
  whenGames(react) {
    gameListeners.add(react);
    this.atEnd(() => gameListeners.delete(react));
    react();
  }

  /**
   * Calls `react` at an interval while the page can be seen, until the place is left.
   * @param {number} intervalMs
   * @param {() => void} react
   */
  every(intervalMs, react) {
    const timer = setInterval(() => document.hidden || react(), intervalMs);
    this.atEnd(() => clearInterval(timer));
  }

  /** @param {() => void} end is called when the place is left */
  atEnd(end) {
    this.#ends.push(end);
  }

  end() {
    for (const end of this.#ends.splice(0)) end();
  }

  /**
   * The answer of the HTTP API.
   * @param {string} path below /api/v1
   * @returns {Promise<any>}
   * @throws {ApiError}
   */
  async api(path, isRetry = false) {
    const headers = { Authorization: `Bearer ${session.currentToken() ?? ""}` };
    const response = await fetch(`/api/v1${path}`, { headers }).catch(() => null);
    if (response?.ok) return response.json();
    if (response?.status === 401 && !isRetry && session.canRenew()) {
      await session.renewedToken();
      return this.api(path, true);
    }
    const problem = await response?.json().catch(() => null);
    throw new ApiError(problem?.detail ?? "The server does not answer.", response?.status ?? 0);
  }

  /** @param {string} title of the place that is shown */
  set title(title) {
    placeTitle = title;
    showTitle();
  }

  /**
   * Uses a style sheet until the place is left: what it says is not meant for other places.
   * @param {string} href
   * @returns {Promise<void>} when it is there
   */
  async style(href) {
    const sheet = sheets.get(href) ?? new Sheet(href);
    sheets.set(href, sheet);
    sheet.use(this);
    this.atEnd(() => sheet.leave(this));
    await sheet.loaded;
  }
}

/** A style sheet that is loaded once, and in force while somebody uses it. */
class Sheet {
  #link = document.createElement("link");
  /** @type {Set<App>} */ #users = new Set();

  /** @param {string} href */
  constructor(href) {
    this.#link.rel = "stylesheet";
    this.#link.href = href;
    /** @type {Promise<void>} */
    this.loaded = new Promise((resolve) => {
      this.#link.onload = this.#link.onerror = () => resolve();
    });
    document.head.append(this.#link);
  }

  /** @param {App} app */
  use(app) {
    this.#users.add(app);
    this.#link.media = "all";
  }

  /** @param {App} app */
  leave(app) {
    this.#users.delete(app);
    if (!this.#users.size) this.#link.media = "not all";
  }
}

/** Style sheets of places, by URL. @type {Map<string, Sheet>} */
const sheets = new Map();

/** @param {{code: string, message: string}} error of the service */
function refused(error) {
  if (!HARMLESS.has(error.code)) toast(plainWords(error));
}

/** @type {Client | null} */
let client = null;
/** @type {Set<() => void>} */
const gameListeners = new Set();
let placeTitle = "";
/** The shown place. */
let shown = {
  name: "",
  key: "",
  app: new App(),
  mounted: /** @type {import("./places.js").Mounted | null} */ (null),
};
/** Whether the present state is being sent, in which `room:start` is no news. */
let isGreeting = false;
/** The room in which this user has a seat. */
let seatedIn = "";

const frame = new App();
const invites = new Invites(byId("invites"), frame, showTitle);

function showTitle() {
  const invited = invites.count ? `(${invites.count}) ` : "";
  document.title = `${invited}${placeTitle} · Play`;
}

/**
 * Shows a URL of this page.
 * @param {string} url
 * @param {{replace?: boolean}} [options] `replace`: without a step to go back to
 */
function go(url, { replace = false } = {}) {
  if (replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  show({ isNew: true });
}

/**
 * Shows the place of the current URL, or the sign-in form before it.
 * @param {{isNew?: boolean, problem?: string}} [options] `isNew`: the user went here, not back
 */
async function show({ isNew = false, problem = "" } = {}) {
  const place = client ? placeOf(location) : null;
  const name = place?.name ?? (client ? "missing" : "signin");
  const key = client ? location.pathname : name;
  if (shown.key === key && place && shown.mounted?.changed) {
    shown.mounted.changed(place.params);
    return;
  }
  shown.mounted?.unmount();
  shown.app.end();
  const app = new App();
  shown = { name, key, app, mounted: null };
  const root = freshMain();
  document.body.dataset.place = name;
  showTab();
  showSeat();
  app.title = place?.title ?? (client ? "Not found" : "Sign in");
  if (!client) await showForm(root, app, problem);
  else if (!place) root.append(clone("t-missing"));
  else await load(place, root, app);
  if (isNew && shown.app === app) {
    scrollTo(0, 0);
    if (!root.contains(document.activeElement)) root.focus({ preventScroll: true });
  }
}

/** @param {HTMLElement} root @param {App} app @param {string} problem shown at first; may be empty */
async function showForm(root, app, problem) {
  const [form] = await Promise.all([import("./sign_in.js"), app.style("/app/play/sign_in.css")]);
  if (shown.app === app) form.mountSignIn(root, signIn, problem);
}

/** A new, empty `<main>`: what a place that was left still does is not seen. */
function freshMain() {
  const root = document.createElement("main");
  root.id = "main";
  root.tabIndex = -1;
  byId("main").replaceWith(root);
  return root;
}

/**
 * @param {import("./places.js").Place} place
 * @param {HTMLElement} root
 * @param {App} app
 */
async function load(place, root, app) {
  try {
    const module = await place.load();
    if (shown.app === app) shown.mounted = module.mount(root, app, place.params);
  } catch (error) {
    console.error(error);
    toast("This page could not be loaded. Reload it.");
  }
}

function showSignIn(problem = "") {
  client?.close();
  client = null;
  session.forget();
  seatedIn = "";
  invites.clear();
  for (const id of ["me", "signout"]) byId(id).hidden = true;
  show({ problem });
}

/** @param {import("../client/client.js").Status} status */
function statusChanged(status) {
  showStatus(status);
  if (status.state === "online") online(status.resumed);
  if (needsSignIn(status)) {
    const reason = "reason" in status && status.reason;
    showSignIn(`You need to sign in again: ${reason || "token refused"}.`);
  }
}

/**
 * Whether the server refuses the token, and only the user can provide another one.
 * @param {import("../client/client.js").Status} status
 */
function needsSignIn(status) {
  if (status.state === "closed") return status.code === BAD_TOKEN;
  return status.state === "waiting" && status.code === BAD_TOKEN && !session.canRenew();
}

/** @param {boolean} resumed whether all missed messages were delivered, so that the page is current */
function online(resumed) {
  const me = /** @type {User} */ (frame.me);
  setText(byId("who"), me.name);
  byId("me-avatar").replaceWith(Object.assign(avatar(me.name, "you"), { id: "me-avatar" }));
  const mine = `/player/${encodeURIComponent(me.id)}`;
  for (const id of ["me", "nav-you"]) byId(id).setAttribute("href", mine);
  for (const id of ["me", "signout"]) byId(id).hidden = false;
  showTab();
  if (!resumed) {
    isGreeting = true;
    if (!client?.session?.inRoom) seatedIn = "";
    invites.clear();
  }
  showSeat();
  frame.act({ type: "lobby:join" });
  frame.api("/games").then(gamesListed, () => {}); // Else what is known here.
  ping();
}

/** @param {{games: any[]}} listed */
function gamesListed({ games }) {
  setGames(games);
  for (const react of gameListeners) react();
}

/** Marks the place that is shown; the page of another player is none of these. */
function showTab() {
  const userId = client && placeOf(location)?.params.userId;
  const isOther = userId && userId !== "me" && frame.me && userId !== String(frame.me.id);
  for (const link of document.querySelectorAll(".tabs a[data-place]")) {
    const { place } = /** @type {HTMLElement} */ (link).dataset;
    if (place === shown.name && !isOther) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** What leads back to the own seat, where the page shows something else. */
function showSeat() {
  byId("your-match").hidden = !seatedIn || location.pathname === roomPath(seatedIn);
  setText(byId("your-match-text"), "You have a seat in a match.");
  if (seatedIn) byId("your-match-link").setAttribute("href", roomPath(seatedIn));
}

const roomPath = (roomId) => `/room/${encodeURIComponent(roomId)}`;

/** A match was made, or is still there after a reload, which leaves a link that was opened alone. */
function seated({ roomId }) {
  seatedIn = roomId;
  const isHere = location.pathname === roomPath(roomId);
  if (!isHere && (!isGreeting || ["lobby", "live"].includes(shown.name))) {
    go(roomPath(roomId), { replace: isGreeting });
  }
  showSeat();
}

/** @param {string} roomId that this user has left, or that is closed */
function unseated(roomId) {
  if (roomId === seatedIn) seatedIn = "";
  showSeat();
}

function ping() {
  if (document.hidden || client?.status.state !== "online") return;
  client.ping().then(showPing, () => {}); // A lost connection shows itself.
}

/** @param {string} token @param {string | null} [name] */
function signIn(token, name = null) {
  session.keep(token, name);
  start(token);
}

/** @param {string} token */
function start(token) {
  client = new Client({
    url: "/ws",
    frameHz: FRAME_HZ,
    token: (reason) => (reason === "connect" ? token : session.renewedToken()),
  });
  client.on("status", statusChanged);
  client.on("greeted", () => (isGreeting = false));
  client.on("room:start", seated);
  client.on("game:start", ({ roomId, playerIndex }) => {
    // In a room that was not made for the match nothing else tells of it.
    if (playerIndex === null || seatedIn === roomId) return;
    seatedIn = roomId;
    showSeat();
  });
  client.on("room:left", ({ roomId, userId, reason }) => {
    // After a disconnect the client rejoins by itself.
    if (userId === frame.me?.id && reason !== "offline") unseated(roomId);
  });
  client.on("room:closed", ({ roomId }) => unseated(roomId));
  client.on("session:kickIntro", () =>
    toast("You lost your seat in the last match while you were away."),
  );
  client.on("error", refused);
  invites.listen(client);
  keepTalks(client, (user, text) => toast(`${user.name}: ${text}`));
  show(); // Its first paint needs no connection.
  client.connect().catch(() => {}); // Its status is shown.
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented) return;
  const target = /** @type {Element} */ (event.target);
  const link = /** @type {HTMLAnchorElement | null} */ (target.closest("a[href]"));
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)
    return;
  const url = new URL(link.href);
  const isForeign = url.origin !== location.origin || !placeOf(url);
  if (isForeign || link.target || link.hasAttribute("download")) return;
  event.preventDefault();
  go(url.pathname + url.search + url.hash);
});
addEventListener("popstate", () => show());
addEventListener("online", () => {
  if (client?.status.state === "waiting") client.connect();
});
byId("signout").addEventListener("click", () => showSignIn());
byId("reconnect").addEventListener("click", () => client?.connect());
setInterval(ping, PING_INTERVAL_MS);
listenToTheme(byId("theme"));

showStatus({ state: "idle" });
const token = session.currentToken();
if (token) start(token);
else show();
