// Rooms as objects, and what a client offers to try a bad network. The other side of the socket is the
// test's.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Client, Closed } from "../../service/web/client/client.js";
import { delayedWebSocket } from "../../service/web/client/testing.js";
import { FakeWebSocket } from "./fake_web_socket.js";

const STATE = {
  roomId: "r1",
  v: 1,
  seats: [
    { user: null, ready: false },
    { user: { id: 7, name: "Ana" }, ready: false },
  ],
};

async function settle() {
  for (let turn = 0; turn < 10; turn++) await null;
}

async function onlineClient() {
  const made = new Client({ url: "/ws", token: () => "a.b.c", WebSocket: FakeWebSocket });
  made.connect();
  await settle();
  FakeWebSocket.newest.greets();
  await settle();
  return made;
}

/** Answers the last command of a type. */
function acks(type, more = {}) {
  const { id } = FakeWebSocket.newest.sentOf(type).at(-1);
  FakeWebSocket.newest.says("ack", { id, position: 101, ...more });
}

beforeEach(() => {
  FakeWebSocket.forget();
  globalThis.location = { href: "http://service.test/" };
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.UTC(2026, 0) });
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
  delete globalThis.location;
});

test("a created room knows its id, its state, and the seat of this user", async () => {
  const client = await onlineClient();
  const creating = client.createRoom({ game: "connect_four", options: { turn_s: 20 } });
  const { id: _, ...command } = FakeWebSocket.newest.sent.at(-1);
  assert.deepEqual(command, {
    type: "room:create",
    game: "connect_four",
    options: { turn_s: 20 },
  });
  acks("room:create", { roomId: "r1" });
  const room = await creating;
  assert.deepEqual([room.id, room.state, room.seat], ["r1", null, null]);
  FakeWebSocket.newest.says("room:state", STATE);
  assert.deepEqual([room.state.v, room.seat], [1, 1]);
  assert.equal(client.room("r2").state, null);
});

test("a room passes on its own messages, and only those", async () => {
  const client = await onlineClient();
  const seen = [];
  const off = client.room("r1").on("game:update", ({ tick }) => seen.push(tick));
  const next = client.room("r1").once("game:over");
  FakeWebSocket.newest.says("game:update", { roomId: "r2", tick: 1 });
  FakeWebSocket.newest.says("game:update", { roomId: "r1", tick: 2 });
  FakeWebSocket.newest.says("game:over", { roomId: "r2", winner: 0 });
  await settle();
  FakeWebSocket.newest.says("game:over", { roomId: "r1", winner: 1 });
  off();
  FakeWebSocket.newest.says("game:update", { roomId: "r1", tick: 3 });
  assert.deepEqual(seen, [2]);
  assert.equal((await next).winner, 1);
});

test("of messages that come at once the first one of the room is taken", async () => {
  const client = await onlineClient();
  const next = client.room("r1").once("game:over");
  // As when a client resumes.
  FakeWebSocket.newest.says("game:over", { roomId: "r2", winner: 0 });
  FakeWebSocket.newest.says("game:over", { roomId: "r1", winner: 1 });
  FakeWebSocket.newest.says("game:over", { roomId: "r1", winner: 2 });
  assert.equal((await next).winner, 1);
});

test("waiting for a message of a room ends with the client", async () => {
  const client = await onlineClient();
  const next = client.room("r1").once("game:over");
  client.close();
  await assert.rejects(next, Closed);
});

for (const [name, call, sent] of [
  ["join", (room) => room.join({ role: "spectator" }), { type: "room:join", role: "spectator" }],
  ["leave", (room) => room.leave(), { type: "room:leave" }],
  ["ready", (room) => room.ready(), { type: "room:ready", ready: true }],
  ["move", (room) => room.move({ column: 3 }), { type: "game:move", move: { column: 3 } }],
  ["say", (room) => room.say("hello"), { type: "chat:send", text: "hello" }],
]) {
  test(`${name} of a room is a command with its id`, async () => {
    const client = await onlineClient();
    const done = call(client.room("r1"));
    const { id, ...command } = FakeWebSocket.newest.sent.at(-1);
    assert.deepEqual(command, { ...sent, roomId: "r1" });
    FakeWebSocket.newest.says("ack", { id, position: 101 });
    assert.equal((await done).position, 101);
  });
}

test("a key and a signal of a room are sent once, without an id", async () => {
  const client = await onlineClient();
  const room = client.room("r1");
  assert.equal(room.press({ direction: "w", action: "down" }), true);
  assert.equal(room.signal({ x: 1 }), true);
  assert.deepEqual(FakeWebSocket.newest.sent.slice(-2), [
    { type: "game:move", roomId: "r1", move: { direction: "w", action: "down" } },
    { type: "signal", roomId: "r1", data: { x: 1 } },
  ]);
  FakeWebSocket.newest.ends();
  assert.equal(room.press({ direction: "w", action: "up" }), false);
});

test("a ping tells how long the answer took", async () => {
  const client = await onlineClient();
  let now = 1000;
  mock.method(performance, "now", () => now);
  const ping = client.ping();
  now += 42;
  const { id } = FakeWebSocket.newest.sentOf("ping").at(-1);
  FakeWebSocket.newest.says("pong", { id });
  assert.equal(await ping, 42);
});

test("a simulated cut breaks the connection, and lets attempts fail for a while", async () => {
  const client = await onlineClient();
  let now = 1000;
  mock.method(performance, "now", () => now);
  mock.method(Math, "random", () => 0.5);
  mock.method(console, "warn", () => {});
  const states = [];
  client.on("status", ({ state }) => states.push(state));
  const [socket, before] = [FakeWebSocket.newest, FakeWebSocket.opened.length];
  client.simulateCut({ forMs: 1000 });
  assert.notEqual(socket.closedWith, 1000);
  assert.equal(client.status.state, "waiting");
  mock.timers.tick(500);
  await settle();
  assert.equal(FakeWebSocket.opened.length, before);
  now += 2000;
  mock.timers.tick(20_000);
  await settle();
  assert.equal(FakeWebSocket.opened.length, before + 1);
  FakeWebSocket.newest.says("welcome", {
    user: { id: 7, name: "Ana" },
    epoch: "e1",
    position: 100,
    heartbeatMs: 10_000,
    limits: { messageBytesMax: 1000, messagesPerS: 120, messagesBurst: 240 },
  });
  FakeWebSocket.newest.says("resumed", { from: 100, to: 100 });
  assert.deepEqual(states.slice(-1), ["online"]);
});

test("a cut before any connection only delays the first one", async () => {
  mock.method(console, "warn", () => {});
  const client = new Client({ url: "/ws", token: () => "a.b.c", WebSocket: FakeWebSocket });
  client.simulateCut({ forMs: 60_000 });
  client.connect();
  await settle();
  assert.equal(FakeWebSocket.opened.length, 0);
  assert.equal(client.status.state, "waiting");
});

test("a delayed socket gives everything later, in order", async () => {
  mock.timers.reset();
  const random = [0.9, 0.1, 0.5, 0.2];
  const Slow = delayedWebSocket(
    { delayMs: 20, jitterMs: 20, random: () => random.shift() ?? 0 },
    FakeWebSocket,
  );
  const slow = new Slow("ws://service.test/", []);
  const got = [];
  slow.onmessage = ({ data }) => got.push(JSON.parse(data).type);
  const begun = performance.now();
  slow.send('{"type":"one"}');
  slow.send('{"type":"two"}');
  FakeWebSocket.newest.says("three");
  FakeWebSocket.newest.says("four");
  assert.deepEqual([FakeWebSocket.newest.sent, got], [[], []]);
  while (got.length < 2 || FakeWebSocket.newest.sent.length < 2) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(performance.now() - begun >= 19);
  assert.deepEqual(got, ["three", "four"]);
  assert.deepEqual(
    FakeWebSocket.newest.sent.map(({ type }) => type),
    ["one", "two"],
  );
});
