// The page: signs in at the auth service, and then speaks nothing but the classic contract.

import { Socket, SocketIo } from "./contract.js";
import { draw } from "./field.js";
import * as platform from "./platform.js";

const KEYS = ["w", "s", "ArrowUp", "ArrowDown"];
const element = (id) => document.getElementById(id);

const { wsUrl } = await platform.config();
const isSocketIo = new URLSearchParams(location.search).get("transport") === "socketio";
const socket = isSocketIo ? new SocketIo(wsUrl) : new Socket(wsUrl);

let myId = null;
let roomId = null;
let inviter = null;
let names = new Map();
let friends = [];

function show(view) {
  document.body.dataset.view = view;
}

function notice(text) {
  element("notice").textContent = text;
}

// Signing in

element("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await platform.sign(event.submitter.value, element("name").value, element("password").value);
    enter();
  } catch (error) {
    notice(error.message);
  }
});

element("sign-out").addEventListener("click", () => {
  socket.close();
  platform.signOut();
  show("sign-in");
});

function enter() {
  notice("");
  socket.open(platform.token());
}

// The lobby

function enterLobby() {
  roomId = null;
  show("lobby");
  socket.send("lobby:join");
  socket.send("friends:status:request");
  showMatches();
}

async function showMatches() {
  try {
    const { matches } = await platform.me();
    element("matches").replaceChildren(
      ...matches.map((match) => {
        const [mine, theirs, other] =
          match.player1Id === myId
            ? [match.player1Score, match.player2Score, match.player2Id]
            : [match.player2Score, match.player1Score, match.player1Id];
        return item(`${mine} : ${theirs} against ${names.get(other) ?? `User#${other}`}`);
      }),
    );
  } catch {
    notice("Your matches can't be shown just now.");
  }
}

function item(text, ...buttons) {
  const line = document.createElement("li");
  line.append(text, ...buttons.flatMap((button) => [" ", button]));
  return line;
}

function button(text, onClick) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", onClick);
  return made;
}

function showPlayers(users) {
  const others = users.filter(({ id }) => id !== myId);
  element("players").replaceChildren(
    ...others.map(({ id, name }) =>
      item(
        name,
        button("Invite", () => {
          socket.send("invite", { to: id });
          notice(`${name} was asked.`);
        }),
        button("Friend", async () => {
          await platform.addFriend(id);
          socket.send("friends:status:request");
        }),
      ),
    ),
  );
}

function showFriends() {
  element("friends").replaceChildren(
    ...friends.map(({ userId, isOnline }) =>
      item(`${names.get(userId) ?? `User#${userId}`} is ${isOnline ? "here" : "away"}`),
    ),
  );
}

element("search").addEventListener("click", () => socket.send("matchmaking:join"));

for (const [id, type] of [["accept", "invite:accepted"], ["decline", "invite:declined"]]) {
  element(id).addEventListener("click", () => {
    element("invite").close();
    socket.send(type, { from: inviter });
  });
}

// The game

function enterGame(room, players) {
  roomId = room;
  element("names").textContent = players.map(({ name }) => name).join(" : ");
  element("score").textContent = "0 : 0";
  element("clock").textContent = "";
  draw(element("field"), { p1Y: 37.5, p2Y: 37.5 });
  show("game");
  socket.send("lobby:leave");
  socket.send("game:join", { roomId });
}

function showScore({ s1, s2 }) {
  element("score").textContent = `${s1} : ${s2}`;
}

function key(event, action) {
  if (document.body.dataset.view !== "game" || !KEYS.includes(event.key)) return;
  event.preventDefault();
  socket.send("game:move", { roomId, direction: event.key, action });
}

addEventListener("keydown", (event) => key(event, "down"));
addEventListener("keyup", (event) => key(event, "up"));
element("begin").addEventListener("click", () => socket.send("game:begin", { roomId }));
element("leave").addEventListener("click", () => {
  socket.send("game:leave", { roomId });
  enterLobby();
});

socket.handle({
  closed: ({ code, reason }) => {
    notice(code === 1008 ? `Sign in again: ${reason}` : "The connection broke; trying again.");
    if (code === 1008) show("sign-in");
  },
  welcome: ({ user }) => {
    notice("");
    myId = user.id;
    element("me").textContent = user.name;
  },
  "session:state": ({ inRoom }) => inRoom || enterLobby(),
  "session:kickIntro": () => {
    enterLobby();
    notice("You were away too long; the match is lost.");
  },
  "user:list": ({ users }) => {
    names = new Map(users.map(({ id, name }) => [id, name]));
    element("me").textContent = names.get(myId) ?? "";
    showFriends();
  },
  "lobby:list": ({ users }) => showPlayers(users),
  "friends:status:response": (message) => {
    friends = message.friends;
    showFriends();
    socket.send("friends:subscribe", { friendIds: friends.map(({ userId }) => userId) });
  },
  "friends:status:update": ({ userId, isOnline }) => {
    friends = friends.map((friend) => (friend.userId === userId ? { userId, isOnline } : friend));
    showFriends();
  },
  "invite:received": ({ from }) => {
    inviter = from.id;
    element("invite-text").textContent = `${from.name} wants to play.`;
    if (!element("invite").open) element("invite").show();
  },
  "invite:declined": ({ from }) => notice(`${names.get(from) ?? "The other one"} said no.`),
  "matchmaking:searching": () => notice("Looking for an opponent ..."),
  "matchmaking:cancelled": () => notice("Nobody was found."),
  "room:start": ({ roomId: room, players }) => {
    notice("");
    enterGame(room, players);
  },
  "game:ready": () => notice("Everybody is here: begin when you like."),
  "game:start": () => notice(""),
  "game:update": ({ state }) => {
    draw(element("field"), state);
    showScore(state);
  },
  "game:timer": ({ remaining }) => {
    element("clock").textContent = `${remaining} s`;
  },
  "game:paused": () => notice("The other one is away; wait a moment."),
  "game:resumed": () => notice(""),
  "game:timeup": ({ winner, scores }) => {
    showScore(scores);
    notice(winner === "draw" ? "A draw." : `Player ${winner === "p1" ? 1 : 2} wins.`);
  },
  "game:end": ({ winner, scores }) => {
    showScore(scores);
    notice(winner === "you" ? "The other one left: you win." : "You left the match.");
  },
  error: ({ message }) => notice(message),
});

if (platform.token()) enter();
