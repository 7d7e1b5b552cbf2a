// Wires the page: one connection, three views, and a table from message to reaction.

import { Connection } from "./connection.js";
import { byId, setText } from "./dom.js";
import { Game } from "./game.js";
import { Lobby } from "./lobby.js";
import { plainWords, showStatus, toast } from "./notices.js";
import { NotInDevelopmentMode, currentToken, keepToken, tokenForName } from "./session.js";

/** The room is not there any more, or this user has no seat in it. */
const ROOM_IS_GONE = new Set(["ROOM_NOT_FOUND", "ROOM_CLOSED", "NOT_IN_ROOM", "NOT_SEATED"]);
/** Both players may press "Start"; the second one only comes late. */
const HARMLESS = new Set(["MATCH_ALREADY_STARTED"]);

/** @type {Connection | null} */
let connection = null;

const send = (message) => {
  const isSent = Boolean(connection?.send(message));
  if (!isSent) toast("Not connected. Wait until the page is back online.");
  return isSent;
};
const lobby = new Lobby(send);
const game = new Game({ send, onLeave: () => showLobby() });

/** @param {"signin" | "lobby" | "game"} view */
function show(view) {
  if (document.body.dataset.view === view) return;
  document.body.dataset.view = view;
  const first = { signin: "name", lobby: "lobby-title", game: "game-title" }[view];
  byId(first).focus({ preventScroll: true });
  scrollTo(0, 0);
}

function showSignIn(problem = "") {
  connection?.close();
  connection = null;
  keepToken(null);
  game.leave();
  lobby.clear();
  setText(byId("signin-error"), problem);
  show("signin");
}

function showLobby(note = "") {
  game.leave();
  show("lobby");
  lobby.enter(note);
}

function signIn(token) {
  keepToken(token);
  connection = new Connection(token, {
    onMessage: (message) => {
      if (Object.hasOwn(reactions, message.type)) reactions[message.type](message);
    },
    onStatus: (status) => {
      showStatus(status);
      if (status.state !== "online") game.disconnected();
    },
    onRefused: (reason) => showSignIn(`You need to sign in again: ${reason || "token refused"}.`),
  });
  connection.open();
}

const toGame = (message) => game.handle(message);

/** @type {Record<string, (message: any) => void>} */
const reactions = {
  welcome: ({ user }) => {
    game.me = user;
    lobby.welcome(user);
    setText(byId("who"), user.name);
    setText(byId("signin-error"), "");
  },
  "session:state": ({ inRoom }) => {
    if (inRoom) {
      lobby.setSearching(false);
      game.expect();
      show("game");
    } else if (game.phase === "result") {
      game.roomGone();
    } else {
      showLobby(game.phase === "idle" ? "" : "That match is over.");
    }
  },
  "session:kickIntro": () => showLobby("You lost your seat in the last match while you were away."),
  "user:list": ({ users }) => {
    lobby.setUsers(users);
    game.setOnline(users);
  },
  "lobby:list": ({ users }) => lobby.setPresent(users),
  "invite:received": ({ from }) => lobby.inviteReceived(from),
  "invite:declined": ({ from }) => lobby.inviteDeclined(from),
  "matchmaking:searching": () => lobby.setSearching(true),
  "matchmaking:cancelled": () => lobby.setSearching(false),
  "room:start": (message) => {
    if (document.body.dataset.view === "lobby") lobby.leave();
    game.join(message);
    show("game");
  },
  "room:players": toGame,
  "game:ready": toGame,
  "game:start": toGame,
  "game:update": toGame,
  "game:timer": toGame,
  "game:paused": toGame,
  "game:resumed": toGame,
  "game:timeup": toGame,
  "game:end": toGame,
  error: (error) => {
    if (HARMLESS.has(error.code) || lobby.settlesError(error)) return;
    if (ROOM_IS_GONE.has(error.code) && game.phase !== "idle") {
      showLobby("That match is no longer there.");
    } else {
      game.refused();
      toast(plainWords(error));
    }
  },
};

byId("signin").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = /** @type {HTMLInputElement} */ (byId("name")).value.trim();
  try {
    const token = await tokenForName(name);
    if (!connection) signIn(token); // The button may have been pressed twice.
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
byId("reconnect").addEventListener("click", () => connection?.open());
addEventListener("online", () => connection?.open());

showStatus({ state: "offline" });
const token = currentToken();
if (token) signIn(token);
else show("signin");
