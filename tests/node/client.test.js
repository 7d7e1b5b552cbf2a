// The client by itself: the clock is the test's, and so is the other side of the socket.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Client, Closed, NoAnswer, Refused } from "../../service/web/client/client.js";
import { FakeWebSocket } from "./fake_web_socket.js";

const ROOM = {
  roomId: "r1",
  v: 1,
  game: "pong",
  phase: "gathering",
  seats: [],
};

/** Lets what waits for promises run. */
async function settle() {
  for (let turn = 0; turn < 10; turn++) await null;
}

async function pass(ms) {
  mock.timers.tick(ms);
  await settle();
}

function client(options = {}) {
  return new Client({
    url: "http://service.test/ws",
    token: () => "a.b.c",
    WebSocket: FakeWebSocket,
    ...options,
  });
}

async function onlineClient(options = {}) {
  const made = client(options);
  made.connect();
  await settle();
  FakeWebSocket.newest.greets();
  await settle();
  return made;
}

/** Loses the connection, waits, and gets the next one up to its greeting. */
async function reconnect(greeting = {}) {
  FakeWebSocket.newest.ends();
  await pass(20_000);
  FakeWebSocket.newest.greets(greeting);
  await settle();
  return FakeWebSocket.newest;
}

beforeEach(() => {
  FakeWebSocket.forget();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.UTC(2026, 0) });
  mock.method(Math, "random", () => 0.5);
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

test("a client without any WebSocket says what it needs", () => {
  assert.throws(() => client({ WebSocket: null }), /give one as an option/);
});

test("the token goes in the list of protocols and never in the URL", async () => {
  client().connect();
  await settle();
  const { url, protocols } = FakeWebSocket.newest;
  assert.equal(url.href, "ws://service.test/ws");
  assert.deepEqual(protocols, ["ws-service.v1", "bearer.a.b.c"]);
});

test("connect resolves with the welcome when the user list is known", async () => {
  const ana = client();
  const connected = ana.connect();
  await settle();
  FakeWebSocket.newest.greets({ users: [{ id: 7, name: "Ana", status: "online" }] });
  assert.equal((await connected).sessionId, "n1.1.1");
  assert.deepEqual([...ana.users.keys()], [7]);
  assert.deepEqual(ana.user, { id: 7, name: "Ana" });
  assert.deepEqual(ana.status, { state: "online", resumed: false });
});

test("failed attempts are retried with growing waits up to a limit", async () => {
  const ana = client();
  ana.connect();
  await settle();
  const waits = [];
  for (let attempt = 0; attempt < 8; attempt++) {
    FakeWebSocket.newest.ends();
    assert.equal(ana.status.state, "waiting");
    waits.push(ana.status.retryAt - Date.now());
    await pass(waits.at(-1));
    assert.equal(ana.status.state, "connecting");
  }
  // Half of each, since the random number is 0.5.
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 7500, 7500, 7500]);
});

for (const [how, seated] of [
  ["the session says so", (socket) => socket.says("session:state", { inRoom: true, roomId: "r1" })],
  ["a room was made", (socket) => socket.says("room:start", { roomId: "r1", players: [] })],
]) {
  test(`a client with a seat waits at most three seconds: ${how}`, async () => {
    mock.method(Math, "random", () => 1);
    const ana = await onlineClient();
    seated(FakeWebSocket.newest);
    FakeWebSocket.newest.says("server:draining", { retryMs: 60_000 });
    for (let attempt = 0; attempt < 8; attempt++) {
      FakeWebSocket.newest.ends();
      assert.ok(ana.status.retryAt - Date.now() <= 3_000);
      await pass(3_000);
    }
    FakeWebSocket.newest.greets();
    FakeWebSocket.newest.says("room:closed", { roomId: "r1", reason: "left" });
    FakeWebSocket.newest.ends();
    assert.ok(ana.status.retryAt - Date.now() > 3_000, "the seat is gone");
  });
}

test("a silent connection is not closed with 1000", async () => {
  await onlineClient();
  const socket = FakeWebSocket.newest;
  await pass(24_000);
  for (let second = 0; second < 3 && !socket.closedWith; second++) await pass(1_000);
  assert.equal(socket.closedWith, 4000);
});

test("only a stable connection resets the backoff", async () => {
  const ana = await onlineClient();
  FakeWebSocket.newest.ends();
  await pass(250);
  FakeWebSocket.newest.greets();
  FakeWebSocket.newest.ends();
  assert.equal(ana.status.retryAt - Date.now(), 500);
  await pass(500);
  FakeWebSocket.newest.greets();
  await pass(6_000);
  FakeWebSocket.newest.ends();
  assert.equal(ana.status.retryAt - Date.now(), 250);
});

test("an attempt that fails without a close event, as in Node 22, is retried", async () => {
  const ana = client();
  ana.connect();
  await settle();
  const socket = FakeWebSocket.newest;
  socket.onerror();
  socket.ends();
  assert.equal(ana.status.retryAt - Date.now(), 250, "and counts once");
});

test("connect cuts a wait short", async () => {
  const ana = client();
  ana.connect();
  await settle();
  FakeWebSocket.newest.ends();
  ana.connect();
  await settle();
  assert.equal(FakeWebSocket.opened.length, 2);
  FakeWebSocket.newest.greets();
  await pass(1_000);
  assert.equal(FakeWebSocket.opened.length, 2);
  assert.equal(ana.status.state, "online");
});

test("the client gives up after the given number of attempts", async () => {
  const ana = client({ attemptsMax: 2 });
  const connected = ana.connect();
  for (let attempt = 0; attempt < 3; attempt++) {
    await pass(1_000);
    FakeWebSocket.newest.ends(1006, "");
  }
  await assert.rejects(connected, Closed);
  assert.equal(ana.status.state, "closed");
  assert.equal(FakeWebSocket.opened.length, 3);
});

for (const code of [4503, 4504]) {
  test(`close code ${code} ends the client until connect is called`, async () => {
    const ana = await onlineClient();
    FakeWebSocket.newest.ends(code, "Away with you");
    assert.deepEqual(ana.status, { state: "closed", code, reason: "Away with you" });
    await pass(60_000);
    assert.equal(FakeWebSocket.opened.length, 1);
    ana.connect();
    await settle();
    assert.equal(FakeWebSocket.opened.length, 2);
  });
}

test("server:draining bounds the wait", async () => {
  const ana = await onlineClient();
  FakeWebSocket.newest.says("server:draining", { retryMs: 3000 });
  FakeWebSocket.newest.ends(4001, "Server is restarting");
  assert.equal(ana.status.retryAt - Date.now(), 1500);
});

/** A client that was told to move, with the socket that it opened for that. */
async function movingClient() {
  const ana = await onlineClient();
  const former = FakeWebSocket.newest;
  former.says("server:draining", { retryMs: 3000, closesInMs: 5000 });
  await pass(1_500);
  const successor = FakeWebSocket.newest;
  assert.notEqual(successor, former);
  return { ana, former, successor };
}

test("a client connects elsewhere before its connection is closed, and misses nothing", async () => {
  const { ana, former, successor } = await movingClient();
  assert.equal(ana.status.state, "online");
  assert.equal(successor.url.searchParams.get("since"), "100");
  const heard = [];
  ana.on("chat:message", ({ text }) => heard.push(text));
  former.says("chat:message", { position: 101, text: "one" });
  successor.greets({ position: 102 });
  successor.says("chat:message", { position: 101, text: "one" });
  successor.says("game:update", { roomId: "r1", run: 0, tick: 6 });
  successor.says("chat:message", { position: 102, text: "two" });
  assert.equal(former.closedWith, null);
  const ticks = [];
  ana.on("game:update", ({ tick }) => ticks.push(tick));
  former.says("game:update", { roomId: "r1", run: 0, tick: 20 });
  successor.says("resumed", { to: 102 });
  successor.says("game:update", { roomId: "r1", run: 0, tick: 21 });
  assert.equal(former.closedWith, 4000);
  former.says("chat:message", { position: 102, text: "two" });
  successor.says("chat:message", { position: 103, text: "three" });
  await settle();
  assert.deepEqual(heard, ["one", "two", "three"]);
  assert.deepEqual(ticks, [20, 21]);
  assert.deepEqual(ana.status, { state: "online", resumed: true });
  assert.equal(ana.cursor.position, 103);
});

test("a client tries again to move while it is refused", async () => {
  const { ana, former, successor } = await movingClient();
  successor.ends(1006);
  await pass(250);
  assert.notEqual(FakeWebSocket.newest, successor);
  assert.equal(former.closedWith, null);
  assert.equal(ana.status.state, "online");
});

test("a client that has not moved in time reconnects", async () => {
  const { ana, former, successor } = await movingClient();
  former.ends(4001, "Server is restarting");
  assert.equal(ana.status.state, "waiting");
  assert.equal(successor.closedWith, 4000);
  await pass(3_000);
  FakeWebSocket.newest.greets();
  FakeWebSocket.newest.says("resumed", { to: 100 });
  assert.equal(ana.status.state, "online");
});

test("a silent connection is closed", async () => {
  const ana = await onlineClient();
  await pass(20_000);
  FakeWebSocket.newest.says("heartbeat", { position: 101 });
  await pass(24_000);
  assert.equal(ana.status.state, "online");
  await pass(3_000);
  assert.notEqual(ana.status.state, "online");
  assert.notEqual(FakeWebSocket.opened[0].closedWith, null);
});

test("a handshake without an answer times out", async () => {
  const ana = client();
  ana.connect();
  await settle();
  await pass(11_000);
  assert.equal(ana.status.state, "waiting");
});

test("refused tokens are requested again a limited number of times", async () => {
  const reasons = [];
  mock.method(console, "warn", () => {});
  const ana = client({
    token: (reason) => {
      reasons.push(reason);
      return "a.b.c";
    },
  });
  ana.connect();
  await settle();
  for (let refusal = 1; refusal < 6; refusal++) {
    FakeWebSocket.newest.ends(1008, "Invalid or expired token");
    await pass(15_000);
    assert.equal(reasons.length, 1 + refusal);
  }
  FakeWebSocket.newest.ends(1008, "Invalid or expired token");
  assert.deepEqual([reasons[0], ...new Set(reasons.slice(1))], ["connect", "refused"]);
  assert.deepEqual(ana.status, {
    state: "closed",
    code: 1008,
    reason: "Invalid or expired token",
  });
});

test("an expired token is requested again after a wait", async () => {
  const reasons = [];
  await onlineClient({
    token: (reason) => {
      reasons.push(reason);
      return `${reason}.b.c`;
    },
  });
  FakeWebSocket.newest.ends(4005, "Token expired");
  await pass(250);
  assert.deepEqual(reasons, ["connect", "refused"]);
  assert.equal(FakeWebSocket.newest.protocols[1], "bearer.refused.b.c");
});

test("a failing token callable is called again", async () => {
  let asked = 0;
  const ana = client({
    token: () => {
      if (++asked === 1) throw new Error("no network");
      return "a.b.c";
    },
  });
  ana.connect();
  await settle();
  assert.equal(ana.status.reason, "no network");
  await pass(250);
  assert.equal(FakeWebSocket.opened.length, 1);
});

test("an invalid token is refused without opening a socket", async () => {
  const ana = client({ token: () => "not a token" });
  ana.connect();
  await settle();
  assert.equal(ana.status.code, 1008);
  assert.equal(FakeWebSocket.opened.length, 0);
});

test("a token that comes after close opens no socket", async () => {
  let bring;
  const ana = client({ token: () => new Promise((resolve) => (bring = resolve)) });
  ana.connect();
  await settle();
  ana.close();
  bring("a.b.c");
  await settle();
  assert.equal(FakeWebSocket.opened.length, 0);
});

test("an expiring token is refreshed on the open socket and used from then on", async () => {
  const ana = await onlineClient({ token: (reason) => `${reason}.b.c` });
  FakeWebSocket.newest.says("token:expiring", { expiresInMs: 60_000 });
  await settle();
  const [refresh] = FakeWebSocket.newest.sentOf("auth:refresh");
  assert.equal(refresh.token, "expiring.b.c");
  FakeWebSocket.newest.says("ack", { id: refresh.id, position: 100 });
  await settle();
  FakeWebSocket.newest.ends();
  await pass(250);
  assert.equal(FakeWebSocket.newest.protocols[1], "bearer.expiring.b.c");
  assert.equal(ana.status.state, "connecting");
});

test("a token that is the same as before is not sent to refresh it", async () => {
  const ana = await onlineClient({ token: () => "a.b.c" });
  FakeWebSocket.newest.says("token:expiring", { expiresInMs: 60_000 });
  await settle();
  assert.deepEqual(FakeWebSocket.newest.sentOf("auth:refresh"), []);
  assert.equal(ana.status.state, "online");
});

test("the cursor starts at welcome and is the highest position received, never an ack's", async () => {
  const ana = await onlineClient();
  assert.deepEqual(ana.cursor, { position: 100, epoch: "e1" });
  FakeWebSocket.newest.says("chat:message", { position: 105 });
  assert.equal(ana.cursor.position, 105);
  FakeWebSocket.newest.says("ack", { id: "x", position: 120 });
  assert.equal(ana.cursor.position, 105);
  FakeWebSocket.newest.says("heartbeat", { position: 110 });
  assert.equal(ana.cursor.position, 110);
  FakeWebSocket.newest.says("invite:received", { position: 90 });
  assert.equal(ana.cursor.position, 110);
});

test("a reconnect resumes at the cursor and is online when the resume is complete", async () => {
  const ana = await onlineClient();
  FakeWebSocket.newest.says("chat:message", { position: 105 });
  const socket = await reconnect({ position: 130 });
  assert.equal(socket.url.search, "?since=105&epoch=e1");
  assert.equal(ana.cursor.position, 105, "the welcome tells where the log is, not what has come");
  assert.equal(ana.status.state, "connecting");
  socket.says("chat:message", { position: 120 });
  assert.equal(ana.cursor.position, 120);
  socket.says("resumed", { from: 105, to: 130 });
  assert.deepEqual(ana.status, { state: "online", resumed: true });
  assert.equal(ana.cursor.position, 130);
});

test("a connection lost during a resume continues it", async () => {
  const ana = await onlineClient();
  const socket = await reconnect({ position: 130, epoch: "e2" });
  socket.says("chat:message", { position: 120 });
  const next = await reconnect();
  assert.equal(next.url.search, "?since=120&epoch=e1");
  assert.equal(ana.status.state, "connecting");
});

test("a resync resets the client to the given epoch and position", async () => {
  const ana = await onlineClient();
  FakeWebSocket.newest.says("room:state", ROOM);
  const socket = await reconnect({ position: 5, epoch: "e2", users: [{ id: 8 }] });
  socket.says("resync", { reason: "wrong_epoch", epoch: "e2", position: 5 });
  assert.deepEqual(ana.status, { state: "online", resumed: false });
  assert.deepEqual(ana.cursor, { position: 5, epoch: "e2" });
  assert.equal(ana.rooms.size, 0);
  assert.deepEqual([...ana.users.keys()], [8], "the list came before the resync");
});

test("a request is answered by the ack with its id", async () => {
  const ana = await onlineClient();
  const made = ana.request({ type: "room:create", game: "pong" });
  const [sent] = FakeWebSocket.newest.sentOf("room:create");
  assert.equal(sent.game, "pong");
  assert.ok(sent.id.length <= 64);
  FakeWebSocket.newest.says("ack", { id: "another", position: 1 });
  FakeWebSocket.newest.says("ack", { id: sent.id, position: 101, roomId: "r1" });
  assert.equal((await made).roomId, "r1");
});

test("a refused request throws its code, and emits no error event", async () => {
  const ana = await onlineClient();
  const errors = [];
  ana.on("error", (error) => errors.push(error.code));
  const invited = ana.request({ type: "invite", to: 8 });
  const [{ id }] = FakeWebSocket.newest.sent;
  FakeWebSocket.newest.says("error", { id, code: "USER_OFFLINE", message: "Not here." });
  await assert.rejects(
    invited,
    (error) => error instanceof Refused && error.code === "USER_OFFLINE",
  );
  FakeWebSocket.newest.says("error", { code: "BAD_MESSAGE", message: "What?" });
  assert.deepEqual(errors, ["BAD_MESSAGE"]);
});

test("an unanswered request is resent with its id until it is answered", async () => {
  const ana = await onlineClient();
  const left = ana.request({ type: "matchmaking:join" });
  const [{ id }] = FakeWebSocket.opened[0].sent;
  const socket = await reconnect();
  assert.deepEqual(socket.sent, [], "not before all that was missed has come");
  socket.says("resumed", { from: 100, to: 100 });
  assert.deepEqual(socket.sent, [{ type: "matchmaking:join", id }]);
  socket.says("ack", { id, position: 101 });
  assert.equal((await left).position, 101);
  const third = await reconnect();
  third.says("resumed", { from: 100, to: 101 });
  assert.deepEqual(third.sent, []);
});

test("a request made offline is sent when the client is online", async () => {
  const ana = client();
  const sent = ana.request({ type: "ping" });
  ana.connect();
  await settle();
  FakeWebSocket.newest.greets();
  const [{ id }] = FakeWebSocket.newest.sentOf("ping");
  FakeWebSocket.newest.says("pong", { id });
  assert.equal((await sent).type, "pong");
});

test("a request without an answer in time throws NoAnswer", async () => {
  const ana = await onlineClient();
  const asked = ana.request({ type: "ping" }, { timeoutMs: 2_000 });
  await pass(2_000);
  await assert.rejects(asked, NoAnswer);
  assert.throws(() => ana.request({ type: "ping" }, { timeoutMs: 300_000 }), RangeError);
});

test("a rate-limited request is resent after a while", async () => {
  const ana = await onlineClient();
  const asked = ana.request({ type: "ping" });
  FakeWebSocket.newest.says("error", { code: "RATE_LIMITED", message: "Slow down." });
  await pass(1_000);
  const [first, second] = FakeWebSocket.newest.sentOf("ping");
  assert.equal(first.id, second.id);
  FakeWebSocket.newest.says("pong", { id: first.id });
  await asked;
});

test("a failed rejoin is retried a little later", async () => {
  const ana = await onlineClient();
  ana.request({ type: "room:join", roomId: "r1" });
  acknowledge("room:join");
  const socket = await reconnect();
  socket.says("resumed", { from: 100, to: 101 });
  const [{ id }] = socket.sentOf("room:join");
  socket.says("error", { id, code: "UNAVAILABLE", message: "The log can't be written." });
  await pass(1_000);
  assert.equal(socket.sentOf("room:join").length, 2);
});

test("a WebSocket constructor that throws is retried, and the status says why", async () => {
  class Forbidden {
    constructor() {
      throw new Error("not from this page");
    }
  }
  const ana = client({ WebSocket: Forbidden });
  ana.connect();
  await settle();
  assert.equal(ana.status.state, "waiting");
  assert.equal(ana.status.reason, "not from this page");
});

test("a message above the size limit is not sent", async () => {
  const ana = await onlineClient();
  const text = "é".repeat(600);
  await assert.rejects(ana.request({ type: "chat:send", roomId: "r1", text }), RangeError);
  assert.throws(() => ana.send({ type: "chat:send", roomId: "r1", text }), RangeError);
  assert.equal(ana.send({ type: "chat:send", roomId: "r1", text: "e".repeat(600) }), true);
  assert.equal(FakeWebSocket.newest.sent.length, 1);
});

test("send does nothing while the client is offline", async () => {
  const ana = client();
  assert.equal(ana.send({ type: "ping" }), false);
  ana.connect();
  await settle();
  assert.equal(ana.send({ type: "ping" }), false);
  FakeWebSocket.newest.greets();
  assert.equal(ana.send({ type: "ping" }), true);
});

test("a page of rooms answers the request for it", async () => {
  const ana = await onlineClient();
  const pages = ["pong", "relay"].map((game) => ana.request({ type: "room:list", game }));
  const [first, second] = FakeWebSocket.newest.sent;
  FakeWebSocket.newest.says("room:list", { rooms: ["a"], cursor: null });
  FakeWebSocket.newest.says("ack", { id: first.id, position: 100 });
  FakeWebSocket.newest.says("room:list", { rooms: ["b"], cursor: null });
  FakeWebSocket.newest.says("ack", { id: second.id, position: 100 });
  assert.deepEqual(
    (await Promise.all(pages)).map(({ rooms }) => rooms),
    [["a"], ["b"]],
  );
});

test("users are kept current by diffs", async () => {
  const ana = await onlineClient();
  const seen = [];
  ana.on("users", (users) => seen.push(users.size));
  const socket = FakeWebSocket.newest;
  const ben = { id: 8, name: "Ben", status: "online" };
  socket.says("user:diff", { v: 2, joins: [ben], leaves: [], updates: [] });
  socket.says("user:diff", { v: 3, joins: [], leaves: [], updates: [{ ...ben, status: "away" }] });
  assert.equal(ana.users.get(8).status, "away");
  socket.says("user:diff", { v: 3, joins: [], leaves: [8], updates: [] });
  assert.equal(ana.users.size, 1, "a diff that is no news changes nothing");
  socket.says("user:diff", { v: 4, joins: [], leaves: [8], updates: [] });
  assert.equal(ana.users.size, 0);
  assert.deepEqual(seen, [1, 1, 1, 0]);
});

test("a gap in the diffs is repaired by one full list", async () => {
  const ana = await onlineClient();
  const socket = FakeWebSocket.newest;
  const join = (v, id) => socket.says("user:diff", { v, joins: [{ id }], leaves: [], updates: [] });
  join(3, 9);
  join(4, 10);
  assert.deepEqual(socket.sent, [{ type: "user:sync" }]);
  assert.equal(ana.users.size, 0);
  socket.says("user:list", { v: 4, users: [{ id: 9 }, { id: 10 }] });
  join(5, 11);
  assert.deepEqual([...ana.users.keys()], [9, 10, 11]);
});

test("the room state with the highest version wins", async () => {
  const ana = await onlineClient();
  const states = [];
  ana.on("room:state", ({ v }) => states.push(v));
  FakeWebSocket.newest.says("room:state", { ...ROOM, v: 5, phase: "playing" });
  FakeWebSocket.newest.says("room:state", { ...ROOM, v: 4 });
  assert.equal(ana.rooms.get("r1").phase, "playing");
  assert.deepEqual(states, [5]);
  const socket = await reconnect();
  socket.says("resumed", { from: 100, to: 100 });
  socket.says("room:state", { ...ROOM, v: 2, phase: "finished" });
  assert.equal(ana.rooms.get("r1").phase, "finished", "a restarted service may count anew");
});

/** Lets the service carry out the newest command of this type. */
function acknowledge(type, fields = {}) {
  const { id } = FakeWebSocket.newest.sentOf(type).at(-1);
  FakeWebSocket.newest.says("ack", { id, position: 101, ...fields });
}

test("rooms are rejoined after a reconnect in the same role", async () => {
  const ana = await onlineClient();
  ana.request({ type: "room:create", game: "pong", visibility: "password", password: "pw" });
  acknowledge("room:create", { roomId: "r1" });
  ana.request({ type: "room:join", roomId: "r2", role: "spectator" });
  acknowledge("room:join", { roomId: "r2" });
  ana.request({ type: "game:join", roomId: "r3" });
  acknowledge("game:join");
  const socket = await reconnect();
  socket.says("resumed", { from: 100, to: 101 });
  assert.deepEqual(
    socket.sent.map(({ id, ...message }) => message),
    [
      { type: "room:join", roomId: "r1", role: "player", password: "pw" },
      { type: "room:join", roomId: "r2", role: "spectator" },
      { type: "game:join", roomId: "r3" },
    ],
  );
});

test("a left, closed or refused room is not rejoined", async () => {
  const ana = await onlineClient();
  for (const roomId of ["r1", "r2", "r3", "r4", "r5"]) {
    ana.request({ type: "room:join", roomId });
    acknowledge("room:join", { roomId });
    FakeWebSocket.newest.says("room:state", { ...ROOM, roomId });
  }
  ana.request({ type: "room:leave", roomId: "r1" });
  acknowledge("room:leave");
  FakeWebSocket.newest.says("room:left", { roomId: "r2", userId: 7, reason: "kicked" });
  FakeWebSocket.newest.says("room:left", { roomId: "r4", userId: 8, reason: "left" });
  FakeWebSocket.newest.says("room:closed", { roomId: "r3", reason: "empty" });
  assert.deepEqual([...ana.rooms.keys()], ["r4", "r5"]);
  const socket = await reconnect();
  socket.says("resumed", { from: 100, to: 101 });
  const [first, second] = socket.sentOf("room:join");
  assert.deepEqual([first.roomId, second.roomId], ["r4", "r5"]);
  const errors = [];
  ana.on("error", ({ code }) => errors.push(code));
  socket.says("error", { id: first.id, code: "ROOM_NOT_FOUND", message: "Gone." });
  socket.says("ack", { id: second.id, position: 102 });
  assert.deepEqual(errors, ["ROOM_NOT_FOUND"]);
  assert.deepEqual([...ana.rooms.keys()], ["r5"]);
});

test("a room is not rejoined while its leave is unanswered", async () => {
  const ana = await onlineClient();
  ana.request({ type: "room:join", roomId: "r1" });
  acknowledge("room:join");
  ana.request({ type: "room:leave", roomId: "r1" });
  const socket = await reconnect();
  socket.says("resumed", { from: 100, to: 101 });
  assert.deepEqual(
    socket.sent.map(({ type }) => type),
    ["room:leave"],
  );
});

test("a seat lost while away is not taken again", async () => {
  const ana = await onlineClient();
  ana.request({ type: "room:join", roomId: "r1" });
  acknowledge("room:join");
  ana.request({ type: "room:join", roomId: "r2", role: "spectator" });
  acknowledge("room:join");
  const socket = await reconnect();
  socket.says("session:kickIntro");
  socket.says("resumed", { from: 100, to: 101 });
  assert.deepEqual(
    socket.sent.map(({ roomId }) => roomId),
    ["r2"],
  );
});

test("a spectator rejoins after a disconnect", async () => {
  const ana = await onlineClient();
  ana.request({ type: "room:join", roomId: "r1", role: "spectator" });
  acknowledge("room:join");
  const socket = await reconnect();
  socket.says("room:left", { roomId: "r1", userId: 7, reason: "offline", position: 105 });
  socket.says("resumed", { from: 100, to: 110 });
  assert.equal(socket.sentOf("room:join")[0].role, "spectator");
});

test("close ends everything with close code 1000", async () => {
  const ana = await onlineClient();
  const asked = ana.request({ type: "ping" });
  ana.close();
  await assert.rejects(asked, Closed);
  await assert.rejects(ana.request({ type: "ping" }), Closed);
  assert.equal(FakeWebSocket.newest.closedWith, 1000);
  assert.equal(ana.status.state, "closed");
  await pass(60_000);
  assert.equal(FakeWebSocket.opened.length, 1);
});

test("listeners can be added and removed, and a failing one does not affect others", async () => {
  const ana = await onlineClient();
  const heard = [];
  const later = mock.method(globalThis, "queueMicrotask", () => {});
  ana.on("signal", () => {
    throw new Error("by a listener");
  });
  const end = ana.on("signal", ({ data }) => heard.push(`on ${data}`));
  ana.once("signal", ({ data }) => heard.push(`once ${data}`));
  const next = ana.once("signal");
  FakeWebSocket.newest.says("signal", { data: 1 });
  end();
  assert.throws(later.mock.calls[0].arguments[0], /by a listener/);
  FakeWebSocket.newest.says("signal", { data: 2 });
  assert.deepEqual(heard, ["on 1", "once 1"]);
  assert.equal((await next).data, 1);
});

test("messages can be iterated until the client is closed", async () => {
  const ana = await onlineClient();
  const messages = ana.messages("signal", "chat:message");
  FakeWebSocket.newest.says("signal", { data: 1 });
  FakeWebSocket.newest.says("heartbeat", { position: 100 });
  FakeWebSocket.newest.says("chat:message", { text: "2" });
  const seen = [];
  const loop = (async () => {
    for await (const { data, text } of messages) seen.push(data ?? text);
  })();
  await settle();
  FakeWebSocket.newest.says("signal", { data: 3 });
  await settle();
  ana.close();
  await loop;
  assert.deepEqual(seen, [1, "2", 3]);
});

test("the frame rate is asked for in the URL of every connection", async () => {
  const ana = client({ frameHz: 30 });
  assert.equal(ana.frameHz, 60);
  ana.connect();
  await settle();
  assert.equal(FakeWebSocket.newest.url.search, "?frameHz=30");
  FakeWebSocket.newest.greets({ frameHz: 30 });
  assert.equal(ana.frameHz, 30);
  await reconnect({ frameHz: 30 });
  assert.equal(FakeWebSocket.newest.url.search, "?since=100&epoch=e1&frameHz=30");
});

test("a service that grants another frame rate, or knows none, is believed", async () => {
  const ana = client({ frameHz: 30 });
  ana.connect();
  await settle();
  FakeWebSocket.newest.greets({ frameHz: 20 });
  assert.equal(ana.frameHz, 20);
  await reconnect();
  assert.equal(ana.frameHz, 60);
  assert.equal(FakeWebSocket.newest.url.searchParams.get("frameHz"), "30");
});

test("a frame rate that was changed is asked for by later connections", async () => {
  const ana = await onlineClient();
  const set = ana.request({ type: "frames:set", frameHz: 20 });
  const refused = ana.request({ type: "frames:set", frameHz: 25 });
  const [first, second] = FakeWebSocket.newest.sentOf("frames:set");
  FakeWebSocket.newest.says("ack", { id: first.id, position: 100 });
  FakeWebSocket.newest.says("error", { id: second.id, code: "BAD_VALUE", message: "" });
  await set;
  await assert.rejects(refused, Refused);
  assert.equal(ana.frameHz, 20);
  await reconnect({ frameHz: 20 });
  assert.equal(FakeWebSocket.newest.url.searchParams.get("frameHz"), "20");
});

test("without a wanted frame rate none is asked for", async () => {
  await onlineClient();
  assert.equal(FakeWebSocket.newest.url.search, "");
});
