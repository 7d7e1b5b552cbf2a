// The service as a Node developer writes it: Fastify, `ws`, `jsonwebtoken`, and state in memory.
//
// It speaks the part of the protocol that the workloads need. Nothing is stored.
import Fastify from "fastify";
import jwt from "jsonwebtoken";
import { WebSocketServer } from "ws";
import * as pong from "./pong.mjs";

const SECRET = process.env.JWT_SECRET;
const TICK_MS = 1000 / 60;
const CATCH_UP_TICKS_MAX = 6;
// Lists for all of twenty thousand users are more than anything can send.
const TELLS_WHO_IS_THERE = process.env.USER_LISTS !== "0";

const users = new Map(); // id -> {id, name, sockets}
const rooms = new Map(); // id -> Set of sockets
const matches = new Map(); // room id -> match
const waiting = []; // users who search for an opponent
let matchesMade = 0;

const fastify = Fastify();
fastify.get("/healthz", async () => ({ status: "ok" }));
const server = new WebSocketServer({ noServer: true });

fastify.server.on("upgrade", (request, socket, head) => {
  server.handleUpgrade(request, socket, head, (ws) => {
    const { searchParams } = new URL(request.url, "http://localhost");
    let claims;
    try {
      claims = jwt.verify(searchParams.get("token"), SECRET, { algorithms: ["HS256"] });
    } catch {
      ws.close(1008, "Invalid or expired token");
      return;
    }
    accept(ws, claims);
  });
});

function accept(ws, claims) {
  let user = users.get(claims.id);
  const isNew = !user;
  if (isNew) {
    user = { id: claims.id, name: claims.name, sockets: new Set() };
    users.set(user.id, user);
  }
  user.sockets.add(ws);
  ws.user = user;
  ws.rooms = new Set();
  ws.on("message", (data) => receive(ws, data));
  ws.on("close", () => leave(ws));
  send(ws, { type: "welcome", user: { id: user.id, name: user.name } });
  send(ws, { type: "session:state", inRoom: false, roomId: null });
  if (!TELLS_WHO_IS_THERE) return;
  if (isNew) usersChanged();
  else send(ws, userList());
}

function leave(ws) {
  for (const room of ws.rooms) rooms.get(room).delete(ws);
  ws.user.sockets.delete(ws);
  if (!ws.user.sockets.size) {
    users.delete(ws.user.id);
    usersChanged();
  }
}

// The list goes to everybody when it changes, a few times a second at most.
let listIsStale = false;

function usersChanged() {
  if (listIsStale || !TELLS_WHO_IS_THERE) return;
  listIsStale = true;
  setTimeout(() => {
    listIsStale = false;
    sendAll(server.clients, userList());
  }, 250);
}

function userList() {
  return { type: "user:list", users: [...users.values()].map(({ id, name }) => ({ id, name })) };
}

function send(ws, message) {
  ws.send(JSON.stringify(message));
}

function sendAll(sockets, message, except) {
  const text = JSON.stringify(message);
  for (const ws of sockets) if (ws !== except) ws.send(text);
}

function receive(ws, data) {
  let message;
  try {
    message = JSON.parse(data);
  } catch {
    send(ws, { type: "error", code: "BAD_JSON", message: "The frame is not JSON." });
    return;
  }
  const handle = Object.hasOwn(handlers, message.type) ? handlers[message.type] : unknown;
  handle(ws, message);
}

function unknown(ws, message) {
  send(ws, { type: "error", code: "UNKNOWN_TYPE", message: `No message ${message.type}.` });
}

const handlers = {
  ping: (ws, { id }) => send(ws, { type: "pong", id }),
  "room:join": (ws, { id, roomId }) => {
    join(ws, roomId);
    send(ws, { type: "ack", id });
  },
  signal: (ws, { roomId, data }) => {
    if (!ws.rooms.has(roomId)) {
      send(ws, { type: "error", code: "NOT_IN_ROOM", message: "Join the room first." });
      return;
    }
    sendAll(rooms.get(roomId), { type: "signal", from: ws.user.id, roomId, data }, ws);
  },
  "matchmaking:join": (ws) => {
    send(ws, { type: "matchmaking:searching" });
    waiting.push(ws.user);
    if (waiting.length >= 2) pair(waiting.shift(), waiting.shift());
  },
  "game:join": (ws, { roomId }) => {
    join(ws, roomId);
    const match = matches.get(roomId);
    match.joined.add(ws.user.id);
    if (match.joined.size < 2) return;
    sendAll(rooms.get(roomId), { type: "game:ready", roomId });
    for (const player of rooms.get(roomId)) {
      const youIndex = seatOf(match, player);
      send(player, { type: "room:players", roomId, youIndex, players: match.players });
    }
  },
  "game:begin": (ws, { roomId }) => {
    const match = matches.get(roomId);
    if (match.state) return;
    match.state = pong.setup(match.duration);
    match.startsAt = performance.now() + 1000;
    for (const player of rooms.get(roomId)) {
      const playerIndex = seatOf(match, player);
      const { duration, players } = match;
      send(player, { type: "game:start", roomId, duration, playerIndex, players });
    }
  },
  "game:move": (ws, { roomId, direction, action }) => {
    const match = matches.get(roomId);
    if (match?.state) pong.press(match.state, seatOf(match, ws), direction, action);
  },
};

function join(ws, roomId) {
  if (!rooms.has(roomId)) rooms.set(roomId, new Set());
  rooms.get(roomId).add(ws);
  ws.rooms.add(roomId);
}

function seatOf(match, ws) {
  return match.players.findIndex((player) => player.id === ws.user.id);
}

function pair(left, right) {
  const roomId = `match-${++matchesMade}`;
  const players = [left, right].map(({ id, name }) => ({ id, name }));
  const duration = Number(process.env.MATCH_DURATION_S ?? 30);
  matches.set(roomId, { id: roomId, players, joined: new Set(), duration, state: null });
  for (const user of [left, right]) {
    sendAll(user.sockets, { type: "room:start", roomId, players });
  }
}

// One loop for all matches, on a fixed grid, so that it neither drifts nor runs away.
const gridAt = performance.now();
let ticks = 0;

function tick() {
  const now = performance.now();
  const due = Math.floor((now - gridAt) / TICK_MS);
  ticks = Math.max(ticks, due - CATCH_UP_TICKS_MAX);
  const steps = due - ticks;
  ticks = due;
  if (steps > 0) for (const match of matches.values()) advance(match, now, steps);
  setTimeout(tick, Math.max(0, gridAt + (ticks + 1) * TICK_MS - performance.now()));
}

function advance(match, now, steps) {
  const { id: roomId, state } = match;
  if (!state || now < match.startsAt || state.ticksLeft === 0) return;
  for (let step = 0; step < steps; step++) pong.step(state);
  const sockets = rooms.get(roomId);
  const remaining = Math.ceil(state.ticksLeft / 60);
  if (remaining !== match.remaining) {
    match.remaining = remaining;
    sendAll(sockets, { type: "game:timer", roomId, remaining });
  }
  sendAll(sockets, { type: "game:update", roomId, state: pong.view(state) });
  if (state.ticksLeft === 0) {
    const [s1, s2] = state.scores;
    const winner = s1 === s2 ? "draw" : s1 > s2 ? "p1" : "p2";
    sendAll(sockets, { type: "game:timeup", roomId, winner, scores: { s1, s2 } });
    matches.delete(roomId);
  }
}

tick();
await fastify.listen({ host: "127.0.0.1", port: 0, backlog: 4096 });
console.log(`listening ${fastify.server.address().port}`);
