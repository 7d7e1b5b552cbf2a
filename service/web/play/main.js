// Wires the page: one client, three views, and a table from message to reaction.

import { Client, NoAnswer, Refused } from "../client/client.js";
import { byId, setText } from "../common/dom.js";
import { Game } from "./game.js";
import { Lobby } from "./lobby.js";
import { plainWords, showStatus, toast } from "./notices.js";
import { LiveRooms } from "./rooms.js";
import {
  NotInDevelopmentMode,
  canRenew,
  currentToken,
  forget,
  keep,
  renewedToken,
  tokenForName,
} from "./session.js";

const BAD_TOKEN = 1008;
/** Half of all states: the field shows the motion between them. */
const FRAME_HZ = 30;
const ROOMS_SHOWN_MAX = 100;
/** Errors that mean that the room was closed, or that this user is not in it. */
const ROOM_IS_GONE = new Set(["ROOM_NOT_FOUND", "NOT_IN_ROOM"]);
/** Errors that need no message: both may press "Start", and a key may arrive after the end. */
const HARMLESS = new Set(["MATCH_ALREADY_STARTED", "MATCH_NOT_RUNNING", "MATCH_PAUSED"]);

/** @type {Client | null} */
let client = null;
/** Whether this client was online before, so that the page shows its state. */
let hasBegun = false;

const lobby = new Lobby(act);
const live = new LiveRooms(watch);
const game = new Game({
  act,
  send: (message) => Boolean(client?.send(message)),
  onLeave: () => showLobby(),
});

/**
 * Executes a command; errors are shown to the user.
 * @param {any} command
 * @returns {Promise<boolean>} whether it was executed
 */
async function act(command) {
  try {
    await client?.request(command);
    return true;
  } catch (error) {
    if (error instanceof Refused) refused(error, command.roomId);
    else if (error instanceof NoAnswer) toast("The server did not answer. Try again.");
    return false;
  }
}

/** @param {{code: string, message: string}} error */
function refused(error, roomId = "") {
  if (HARMLESS.has(error.code)) return;
  if (error.code === "ALREADY_SEARCHING") {
    lobby.setSearching(true); // In another tab.
  } else if (ROOM_IS_GONE.has(error.code) && roomId && roomId === game.roomId) {
    roomGone("That match is no longer there.");
  } else {
    toast(plainWords(error));
  }
}

/** @param {"signin" | "lobby" | "game"} view */
function show(view) {
  if (document.body.dataset.view === view) return;
  document.body.dataset.view = view;
  const first = { signin: "name", lobby: "lobby-title", game: "game-title" }[view];
  byId(first).focus({ preventScroll: true });
  scrollTo(0, 0);
}

function showSignIn(problem = "") {
  client?.close();
  client = null;
  forget();
  game.leave();
  lobby.clear();
  setText(byId("signin-error"), problem);
  show("signin");
}

function showLobby(note = "") {
  game.leave();
  lobby.note = note;
  show("lobby");
  if (client?.status.state === "online") attendLobby();
}

/** Subscribes to the messages that the lobby shows. */
function attendLobby() {
  act({ type: "lobby:join" });
  act({ type: "room:subscribe" });
  act({ type: "room:list", limit: ROOMS_SHOWN_MAX });
  lobby.searchAgain();
}

function showGame() {
  if (document.body.dataset.view === "lobby") {
    act({ type: "lobby:leave" });
    act({ type: "room:unsubscribe" });
    lobby.setSearching(false);
    lobby.clear();
  }
  show("game");
}

/** @param {string} roomId */
async function watch(roomId) {
  const isIn = game.watch(roomId);
  showGame();
  if (!(await isIn) && game.roomId === roomId) showLobby();
}

/** A result stays visible when its room was closed. */
function roomGone(note) {
  if (game.phase === "result") game.roomGone();
  else showLobby(note);
}

/** @param {import("../client/client.js").Status} status */
function statusChanged(status) {
  showStatus(status);
  if (status.state === "online") online(status.resumed);
  else game.disconnected();
  if (needsSignIn(status)) {
    showSignIn(`You need to sign in again: ${status.reason || "token refused"}.`);
  }
}

/**
 * Whether the server refuses the token, and only the user can provide another one.
 * @param {import("../client/client.js").Status} status
 */
function needsSignIn(status) {
  if (status.state === "closed") return status.code === BAD_TOKEN;
  return status.state === "waiting" && status.code === BAD_TOKEN && !canRenew();
}

/** @param {boolean} resumed whether all missed messages were delivered, so that the page is current */
function online(resumed) {
  game.me = lobby.me = client.user;
  game.chatLengthMax = client.limits.chatLengthMax;
  setText(byId("who"), client.user.name);
  setText(byId("signin-error"), "");
  // A page without any state can't resume.
  if (!resumed || !hasBegun) startAnew();
  hasBegun = true;
  if (document.body.dataset.view === "lobby") attendLobby();
}

/** The server has sent which room the user is in; the rest of the greeting follows. */
function startAnew() {
  lobby.clear();
  if (client.session.inRoom) {
    game.expect();
    showGame();
  } else if (game.phase === "lost" && game.isPlayer) {
    showLobby("That match is over.");
  } else if (document.body.dataset.view !== "game") {
    show("lobby");
  }
}

function signIn(token, name = null) {
  keep(token, name);
  start(token);
}

/** @param {string} token */
function start(token) {
  hasBegun = false;
  client = new Client({
    url: "/ws",
    frameHz: FRAME_HZ,
    token: (reason) => (reason === "connect" ? token : renewedToken()),
  });
  client.on("status", statusChanged);
  for (const [type, react] of Object.entries(reactions)) client.on(type, react);
  client.connect();
}

const toGame = (message) => game.handle(message);

/** @type {Record<string, (message: any) => void>} */
const reactions = {
  "session:kickIntro": () => showLobby("You lost your seat in the last match while you were away."),
  users: (users) => lobby.setUsers(users),
  "invite:received": (invite) => lobby.inviteReceived(invite),
  "invite:sent": ({ to }) => lobby.inviteSent(to),
  "invite:declined": ({ from }) => lobby.inviteDeclined(from),
  "invite:expired": (invite) => lobby.inviteExpired(invite),
  "matchmaking:searching": () => lobby.setSearching(true),
  "matchmaking:cancelled": () => lobby.setSearching(false),
  "room:list": ({ rooms }) => live.replace(rooms, client.user.id),
  "room:added": ({ room }) => live.put(room),
  "room:updated": ({ room }) => live.put(room),
  "room:removed": ({ roomId }) => live.remove(roomId),
  "room:start": (message) => {
    game.join(message);
    showGame();
  },
  "room:left": (message) => {
    if (message.userId !== client.user.id) game.handle(message);
    // After a disconnect the client rejoins by itself.
    else if (message.roomId === game.roomId && message.reason !== "offline") {
      roomGone("You are out of that room.");
    }
  },
  "room:closed": ({ roomId }) => {
    if (roomId === game.roomId) roomGone("That room is closed.");
  },
  "room:state": toGame,
  "game:ready": toGame,
  "game:start": toGame,
  "game:update": toGame,
  "game:timer": toGame,
  "game:paused": toGame,
  "game:resumed": toGame,
  "game:over": toGame,
  "chat:history": toGame,
  "chat:message": toGame,
  error: (error) => refused(error, error.roomId),
};

byId("signin").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = /** @type {HTMLInputElement} */ (byId("name")).value.trim();
  try {
    const token = await tokenForName(name);
    if (!client) signIn(token, name); // The button may have been pressed twice.
  } catch (error) {
    const needsToken = error instanceof NotInDevelopmentMode;
    setText(
      byId("signin-error"),
      needsToken ? "This server requires a token. Paste yours below." : error.message,
    );
    if (!needsToken) return;
    /** @type {HTMLDetailsElement} */ (byId("token-details")).open = true;
    byId("token").focus();
  }
});
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (byId("token"));
  signIn(field.value.trim());
  field.value = "";
});
byId("signout").addEventListener("click", () => showSignIn());
byId("reconnect").addEventListener("click", () => client?.connect());
addEventListener("online", () => {
  if (client?.status.state === "waiting") client.connect();
});

showStatus({ state: "idle" });
const token = currentToken();
if (token) start(token);
else show("signin");
