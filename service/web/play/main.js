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
/** The room is not there any more, or this user has no place in it. */
const ROOM_IS_GONE = new Set(["ROOM_NOT_FOUND", "NOT_IN_ROOM"]);
/** What the page shows anyway: both may press "Start", and a key may come after the end. */
const HARMLESS = new Set(["MATCH_ALREADY_STARTED", "MATCH_NOT_RUNNING", "MATCH_PAUSED"]);

/** @type {Client | null} */
let client = null;
/** Whether this client was online, so that the page shows what it knows. */
let hasBegun = false;

const lobby = new Lobby(act);
const live = new LiveRooms(watch);
const game = new Game({
  act,
  send: (message) => Boolean(client?.send(message)),
  onLeave: () => showLobby(),
});

/**
 * Carries out a command; what goes wrong is told to the user.
 * @param {any} command
 * @returns {Promise<boolean>} whether it was carried out
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

/** Asks for what a tab is told that shows the lobby. */
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

/** A result is still shown when its room is gone. */
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
 * Whether the server refuses the token, and there is no way to another one but the user.
 * @param {import("../client/client.js").Status} status
 */
function needsSignIn(status) {
  if (status.state === "closed") return status.code === BAD_TOKEN;
  return status.state === "waiting" && status.code === BAD_TOKEN && !canRenew();
}

/** @param {boolean} resumed whether all that was missed has been told, so that the page stands */
function online(resumed) {
  game.me = lobby.me = client.user;
  game.chatLengthMax = client.limits.chatLengthMax;
  setText(byId("who"), client.user.name);
  setText(byId("signin-error"), "");
  // A page that has shown nothing yet has nothing that could go on.
  if (!resumed || !hasBegun) startAnew();
  hasBegun = true;
  if (document.body.dataset.view === "lobby") attendLobby();
}

/** What the server knows of us follows; where we are, it has said. */
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
    // Who was only away is let in again by the client.
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
      needsToken ? "This server takes tokens only. Paste yours below." : error.message,
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
