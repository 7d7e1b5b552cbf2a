// What the client does when links, clocks, tokens and listeners misbehave; the clocks are the test's.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Client, Closed, NoAnswer, Refused } from "../../service/web/client/client.js";
import { FakeWebSocket } from "./fake_web_socket.js";

const FEATURES = { features: ["error_ids", "greeted", "sent_invites"] };

const LONG = { messageBytesMax: 65_536, messagesPerS: 120, messagesBurst: 240 };

/** How far the two clocks are apart from the timers: the wall clock may be set or a laptop sleep. */
let wallMs;
let steadyMs;

async function settle() {
  for (let turn = 0; turn < 20; turn++) await null;
}

async function pass(ms) {
  mock.timers.tick(ms);
  await settle();
}

/** Suspends the machine: timers and the monotonic clock stop. */
function sleep(ms) {
  wallMs += ms;
}

function client(options = {}) {
  return new Client({
    url: "http://service.test/ws",
    token: () => "a.b.c",
    WebSocket: FakeWebSocket,
    ...options,
  });
}

async function onlineClient(options = {}, greeting = {}) {
  const made = client(options);
  made.connect();
  await settle();
  greet(greeting);
  return made;
}

/** The whole first greeting of a service that marks its end. */
function greet(greeting = {}) {
  FakeWebSocket.newest.greets({ ...FEATURES, ...greeting });
  FakeWebSocket.newest.says("greeted", { to: greeting.position ?? 100 });
}

async function reconnect() {
  FakeWebSocket.newest.ends();
  await pass(20_000);
  return FakeWebSocket.newest;
}

async function resume() {
  const socket = await reconnect();
  socket.greets(FEATURES);
  socket.says("resumed", { from: 100, to: 100 });
  return socket;
}

/** Records the client's events as short texts. */
function record(ana, ...types) {
  const heard = [];
  for (const type of types) {
    ana.on(type, (event) => heard.push(event.state ? `${event.state} ${event.resumed}` : type));
  }
  return heard;
}

beforeEach(() => {
  FakeWebSocket.forget();
  [wallMs, steadyMs] = [0, 0];
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 0 });
  const timersNow = Date.now;
  mock.method(Date, "now", () => timersNow() + wallMs);
  mock.method(performance, "now", () => timersNow() + steadyMs);
  mock.method(Math, "random", () => 0.5);
  mock.method(console, "warn", () => {});
});

afterEach(() => {
  mock.restoreAll();
  mock.timers.reset();
});

// The greeting

test("the greeting is delivered when it is complete, after status online", async () => {
  const ana = client();
  const heard = record(ana, "status", "welcome", "invite:received", "greeted");
  ana.connect();
  await settle();
  FakeWebSocket.newest.greets(FEATURES);
  FakeWebSocket.newest.says("invite:received", { from: { id: 8 } });
  assert.deepEqual(heard, ["connecting undefined"]);
  assert.equal(ana.cursor, null);
  FakeWebSocket.newest.says("greeted", { to: 100 });
  assert.deepEqual(heard.slice(1), ["welcome", "online false", "invite:received", "greeted"]);
  assert.deepEqual(ana.cursor, { position: 100, epoch: "e1" });
});

test("an interrupted greeting is not resumed, and delivered once", async () => {
  const ana = client();
  const heard = record(ana, "status", "invite:received");
  ana.connect();
  await settle();
  FakeWebSocket.newest.greets(FEATURES);
  FakeWebSocket.newest.says("invite:received", { from: { id: 8 } });
  const socket = await reconnect();
  assert.equal(socket.url.search, "");
  socket.greets(FEATURES);
  socket.says("invite:received", { from: { id: 8 } });
  socket.says("greeted", { to: 100 });
  assert.deepEqual(heard.slice(-2), ["online false", "invite:received"]);
  assert.equal(heard.filter((type) => type === "invite:received").length, 1);
});

test("an interrupted resync is not resumed", async () => {
  const ana = await onlineClient();
  const heard = record(ana, "resync", "invite:received");
  const socket = await reconnect();
  socket.greets({ ...FEATURES, position: 200 });
  socket.says("resync", { reason: "too_old", epoch: "e1", position: 200 });
  socket.says("invite:received", { from: { id: 8 } });
  assert.deepEqual(heard, []);
  const next = await reconnect();
  assert.equal(next.url.search, "");
  greet({ position: 210 });
  assert.deepEqual(ana.status, { state: "online", resumed: false });
  assert.deepEqual(ana.cursor, { position: 210, epoch: "e1" });
});

test("a complete resync sets the cursor to resume from", async () => {
  await onlineClient();
  const socket = await reconnect();
  socket.greets(FEATURES);
  socket.says("resync", { reason: "too_old", epoch: "e2", position: 200 });
  socket.says("greeted", { to: 200 });
  assert.equal((await reconnect()).url.search, "?since=200&epoch=e2");
});

test("a stored cursor is resumed by the first connection", async () => {
  const ana = client({ cursor: { position: 42, epoch: "e1" } });
  ana.connect();
  await settle();
  assert.equal(FakeWebSocket.newest.url.search, "?since=42&epoch=e1");
  FakeWebSocket.newest.greets(FEATURES);
  FakeWebSocket.newest.says("resumed", { from: 42, to: 100 });
  assert.deepEqual(ana.status, { state: "online", resumed: true });
  assert.throws(() => client({ cursor: { position: "42", epoch: "e1" } }), TypeError);
});

// Commands

test("a command whose ack is lost is not resent after a long sleep", async () => {
  const ana = await onlineClient();
  const said = ana.request({ type: "chat:send", roomId: "r1", text: "once" });
  sleep(320_000);
  const socket = await resume();
  assert.deepEqual(socket.sentOf("chat:send"), []);
  await assert.rejects(said, NoAnswer);
});

test("a command is resent after a short sleep, and a clock step back changes nothing", async () => {
  const ana = await onlineClient();
  ana.request({ type: "chat:send", roomId: "r1", text: "once" });
  sleep(-3_600_000);
  FakeWebSocket.newest.ends();
  await pass(250);
  FakeWebSocket.newest.greets(FEATURES);
  FakeWebSocket.newest.says("resumed", { from: 100, to: 100 });
  assert.equal(FakeWebSocket.newest.sentOf("chat:send").length, 1);
});

test("a command with many newer ones is not resent, since its id may be forgotten", async () => {
  const ana = await onlineClient();
  const lost = ana.request({ type: "lobby:join" }, { timeoutMs: 240_000 });
  for (let number = 0; number < 450; number++) {
    const one = ana.request({ type: "ping" });
    await pass(50);
    FakeWebSocket.newest.says("pong", { id: FakeWebSocket.newest.sentOf("ping").at(-1).id });
    await one;
  }
  const socket = await resume();
  assert.deepEqual(socket.sentOf("lobby:join"), []);
  await assert.rejects(lost, NoAnswer);
});

test("a rate-limited rejoin is retried regardless of newer commands", async () => {
  const ana = await onlineClient();
  const joined = ana.request({ type: "room:join", roomId: "r1" });
  const { id } = FakeWebSocket.newest.sentOf("room:join")[0];
  FakeWebSocket.newest.says("ack", { id, position: 101, roomId: "r1" });
  await joined;
  const socket = await resume();
  const [rejoin] = socket.sentOf("room:join");
  for (let number = 0; number < 450; number++) {
    const one = ana.request({ type: "ping" });
    await pass(50);
    socket.says("pong", { id: socket.sentOf("ping").at(-1).id });
    await one;
  }
  socket.says("error", { id: rejoin.id, code: "RATE_LIMITED", message: "" });
  await pass(2_000);
  assert.equal(socket.sentOf("room:join").length, 2);
});

test("a room whose join was acknowledged too late is rejoined", async () => {
  const ana = await onlineClient();
  const joined = ana.request({ type: "room:join", roomId: "r1" }, { timeoutMs: 1_000 });
  await pass(1_000);
  await assert.rejects(joined, NoAnswer);
  const { id } = FakeWebSocket.newest.sentOf("room:join")[0];
  FakeWebSocket.newest.says("ack", { id, position: 101, roomId: "r1" });
  assert.equal((await resume()).sentOf("room:join").length, 1);
});

test("a late page of rooms does not answer another request", async () => {
  const ana = await onlineClient();
  const first = ana.request({ type: "room:list", game: "pong" }, { timeoutMs: 1_000 });
  await pass(1_000);
  await assert.rejects(first, NoAnswer);
  const second = ana.request({ type: "room:list", game: "relay" });
  const [a, b] = FakeWebSocket.newest.sentOf("room:list");
  FakeWebSocket.newest.says("room:list", { rooms: ["pong"], cursor: null });
  FakeWebSocket.newest.says("ack", { id: a.id, position: 100 });
  FakeWebSocket.newest.says("room:list", { rooms: ["relay"], cursor: null });
  FakeWebSocket.newest.says("ack", { id: b.id, position: 100 });
  assert.deepEqual((await second).rooms, ["relay"]);
});

test("an oversized command is rejected alone, before it is sent", async () => {
  const ana = client();
  const long = ana.request({ type: "chat:send", roomId: "r1", text: "x".repeat(2_000) });
  const short = ana.request({ type: "ping" });
  ana.connect();
  await settle();
  greet();
  await assert.rejects(long, RangeError);
  const [{ type, id }, ...others] = FakeWebSocket.newest.sent;
  assert.deepEqual([type, others], ["ping", []]);
  FakeWebSocket.newest.says("pong", { id });
  await short;
});

test("many commands are sent below the rate limit, each once and in order", async () => {
  const ana = client();
  const given = Array.from({ length: 1_000 }, (_, number) => number);
  for (const move of given) ana.request({ type: "game:move", roomId: "r1", move: { move } });
  ana.connect();
  await settle();
  greet();
  const socket = FakeWebSocket.newest;
  let answered = 0;
  for (let ms = 0; ms < 12_000 && answered < 1_000; ms += 10) {
    assert.ok(socket.sent.length <= 240 + (ms * 120) / 1000);
    while (answered < socket.sent.length) {
      socket.says("ack", { id: socket.sent[answered++].id, position: 100 });
    }
    await pass(10);
  }
  assert.deepEqual(
    socket.sent.map(({ move }) => move.move),
    given,
  );
});

test("commands for a room wait for a retryable one, those for other rooms don't", async () => {
  const ana = await onlineClient();
  const socket = FakeWebSocket.newest;
  for (const text of ["1", "2"]) ana.request({ type: "chat:send", roomId: "r1", text });
  ana.request({ type: "room:leave", roomId: "r1" });
  ana.request({ type: "chat:send", roomId: "r2", text: "3" });
  const sent = () => socket.sent.map(({ type, text }) => text ?? type);
  assert.deepEqual(sent(), ["1", "3"]);
  const [{ id }] = socket.sent;
  socket.says("error", { id, code: "RATE_LIMITED", message: "Slow down." });
  await pass(1_000);
  assert.deepEqual(sent(), ["1", "3", "1"]);
  for (const _ of [1, 2]) {
    socket.says("ack", { id: socket.sentOf("chat:send").at(-1).id, position: 101 });
  }
  assert.deepEqual(sent(), ["1", "3", "1", "2", "room:leave"]);
});

test("after RATE_LIMITED commands for a room are sent one by one", async () => {
  const ana = await onlineClient();
  const socket = FakeWebSocket.newest;
  for (let move = 0; move < 3; move++) {
    ana.request({ type: "game:move", roomId: "r1", move: { move } });
  }
  for (const { id } of [...socket.sent].slice(1)) {
    socket.says("error", { id, code: "RATE_LIMITED", message: "Slow down." });
  }
  await pass(1_000);
  assert.equal(socket.sent.length, 3);
  for (const answered of [0, 3]) {
    socket.says("ack", { id: socket.sent[answered].id, position: 101 });
  }
  assert.deepEqual(
    socket.sent.slice(3).map(({ move }) => move.move),
    [1, 2],
  );
});

test("long commands are paced", async () => {
  const ana = await onlineClient({}, { limits: LONG });
  for (let move = 0; move < 40; move++) {
    ana.request({ type: "game:move", roomId: "r1", move: { text: "x".repeat(4_000) } });
  }
  assert.ok(FakeWebSocket.newest.sent.length < 20);
});

test("a message sent without acknowledgement is dropped above the rate", async () => {
  const ana = await onlineClient();
  let sent = 0;
  while (ana.send({ type: "ping" })) sent++;
  assert.ok(sent <= 240);
  await pass(100);
  assert.equal(ana.send({ type: "ping" }), true);
});

for (const timeoutMs of [0, -1, NaN, Infinity, 240_001, "soon"]) {
  test(`${timeoutMs} is refused as a timeout`, async () => {
    const ana = await onlineClient();
    assert.throws(() => ana.request({ type: "ping" }, { timeoutMs }), RangeError);
    assert.deepEqual(FakeWebSocket.newest.sent, []);
  });
}

// Whose client it is

test("the next user starts without state of the previous one", async () => {
  let name = "ana";
  const ana = await onlineClient({ token: () => `${name}.b.c` });
  ana.request({ type: "room:join", roomId: "r1", password: "pw" });
  const { id } = FakeWebSocket.newest.sentOf("room:join")[0];
  FakeWebSocket.newest.says("ack", { id, position: 101, roomId: "r1" });
  FakeWebSocket.newest.says("room:state", { roomId: "r1", v: 1, seats: [] });
  ana.close();
  assert.deepEqual([ana.user, ana.cursor, ana.session, ana.users.size], [null, null, null, 0]);
  name = "ben";
  ana.connect();
  await settle();
  const { url, protocols } = FakeWebSocket.newest;
  assert.deepEqual([url.search, protocols[1]], ["", "bearer.ben.b.c"]);
  greet({ user: 8 });
  assert.deepEqual([FakeWebSocket.newest.sent, ana.rooms.size], [[], 0]);
});

test("a token of another user resets the client", async () => {
  const ana = await onlineClient();
  const waiting = ana.request({ type: "room:join", roomId: "r1", password: "pw" });
  const socket = await reconnect();
  socket.greets({ ...FEATURES, user: 8 });
  await assert.rejects(waiting, NoAnswer);
  await settle();
  assert.notEqual(FakeWebSocket.newest, socket);
  assert.equal(FakeWebSocket.newest.url.search, "");
  greet({ user: 8 });
  assert.equal(ana.user.id, 8);
  assert.deepEqual(FakeWebSocket.newest.sent, []);
});

// Tokens

test("a hanging token callable is abandoned and called again", async () => {
  let asked = 0;
  const token = () => (++asked === 1 ? new Promise(() => {}) : "a.b.c");
  const ana = client({ token });
  ana.connect();
  await pass(10_000);
  assert.equal(ana.status.state, "waiting");
  await pass(250);
  assert.equal(FakeWebSocket.opened.length, 1);
});

test("connect replaces a stuck connection attempt", async () => {
  let asked = 0;
  const token = () => (++asked === 1 ? new Promise(() => {}) : "a.b.c");
  const ana = client({ token });
  const first = ana.connect();
  await settle();
  ana.connect();
  await settle();
  assert.equal(FakeWebSocket.opened.length, 1);
  ana.connect();
  await pass(2_000);
  assert.equal(FakeWebSocket.opened.length, 1, "a handshake that has just begun is no stuck one");
  ana.connect();
  await settle();
  assert.equal(FakeWebSocket.opened.length, 2);
  greet();
  await first;
});

test("token callables that throw or return stale tokens are retried", async () => {
  const brought = ["stale", "throw", "stale", "stale", "throw", "stale", "good"];
  const token = () => {
    const next = brought.shift();
    if (next === "throw") throw new Error("the auth service is away");
    return `${next}.b.c`;
  };
  const ana = client({ token });
  ana.connect();
  for (let ms = 0; ms < 60_000 && brought.length; ms += 250) {
    await pass(250);
    const { protocols } = FakeWebSocket.newest;
    if (protocols[1] === "bearer.stale.b.c") FakeWebSocket.newest.ends(1008, "expired");
  }
  await settle();
  greet();
  assert.equal(ana.status.state, "online");
});

test("the refusal of a token that was accepted before does not count", async () => {
  await onlineClient();
  for (let times = 0; times < 10; times++) {
    FakeWebSocket.newest.ends(1008, "expired");
    await settle();
    greet();
  }
  assert.equal(FakeWebSocket.opened.length, 11);
});

test("the refusal of a token from before an outage does not count", async () => {
  const ana = client({ attemptsMax: Infinity });
  ana.connect();
  await settle();
  for (let times = 0; times < 10; times++) {
    // No try gets as far as the service, until the token is stale.
    await reconnect();
    FakeWebSocket.newest.ends(1008, "expired");
    await settle();
  }
  assert.notEqual(ana.status.state, "closed");
});

// Clocks

for (const [name, ms] of [
  ["back", -3_600_000],
  ["ahead", 3_600_000],
]) {
  test(`a clock set ${name} neither drops a good link nor hides a dead one`, async () => {
    const ana = await onlineClient();
    const socket = FakeWebSocket.newest;
    wallMs += ms;
    await pass(3_000);
    assert.equal(ana.status.state, "online");
    socket.says("heartbeat", { position: 100 });
    await pass(20_000);
    assert.equal(ana.status.state, "online");
    await pass(7_000);
    assert.equal(socket.closedWith, 4000);
  });
}

test("a suspended page reads buffered data before it declares the link dead", async () => {
  const ana = await onlineClient();
  steadyMs += 60_000;
  await pass(1_000);
  FakeWebSocket.newest.says("heartbeat", { position: 100 });
  await pass(20_000);
  assert.equal(ana.status.state, "online");
  assert.equal(FakeWebSocket.newest.closedWith, null);
});

test("a link that may have died in a sleep is probed", async () => {
  await onlineClient();
  sleep(60_000);
  await pass(3_000);
  assert.equal(FakeWebSocket.newest.sentOf("ping").length, 1);
});

// Events

test("a listener that was removed, or whose client is closed, is not called", async () => {
  const ana = await onlineClient();
  const heard = [];
  const third = () => heard.push("third");
  ana.on("signal", ({ data }) => {
    ana.off("signal", third);
    if (data === 2) ana.close();
  });
  ana.on("signal", ({ data }) => heard.push(data));
  ana.on("signal", third);
  ana.on("message", ({ type }) => heard.push(type));
  FakeWebSocket.newest.says("signal", { data: 1 });
  FakeWebSocket.newest.says("signal", { data: 2 });
  assert.deepEqual(heard, [1, "signal"]);
  assert.equal(ana.status.state, "closed");
});

test("closing the client in a listener stops the delivery of the greeting", async () => {
  const ana = client();
  const heard = record(ana, "invite:received", "greeted");
  ana.on("status", ({ state }) => state === "online" && ana.close());
  ana.connect();
  await settle();
  FakeWebSocket.newest.greets(FEATURES);
  FakeWebSocket.newest.says("invite:received", { from: { id: 8 } });
  FakeWebSocket.newest.says("greeted", { to: 100 });
  assert.deepEqual(heard, []);
});

test("every listener gets status changes in order, whatever another one does", async () => {
  const ana = await onlineClient();
  ana.on("status", ({ state }) => state === "waiting" && ana.connect());
  const heard = record(ana, "status");
  FakeWebSocket.newest.ends();
  assert.deepEqual(heard, ["waiting undefined", "connecting undefined"]);
});

test("a once listener can be removed before it is called", async () => {
  const ana = await onlineClient();
  const heard = [];
  const listener = () => heard.push(1);
  ana.once("signal", listener);
  ana.off("signal", listener);
  FakeWebSocket.newest.says("signal", { data: 1 });
  assert.deepEqual(heard, []);
});

test("a listener for one event and for all messages is called for each, and removed from both", async () => {
  const ana = await onlineClient();
  const heard = [];
  const listener = ({ data }) => heard.push(data);
  const end = ana.on("signal", listener);
  ana.on("signal", listener);
  ana.once("signal", listener);
  FakeWebSocket.newest.says("signal", { data: 1 });
  FakeWebSocket.newest.says("signal", { data: 2 });
  assert.deepEqual(heard, [1, 1, 2]);
  end();
  FakeWebSocket.newest.says("signal", { data: 3 });
  ana.on("signal", listener);
  ana.once("signal", listener);
  ana.off("signal", listener);
  FakeWebSocket.newest.says("signal", { data: 4 });
  assert.deepEqual(heard, [1, 1, 2]);
});

test("a pending once rejects when the client is closed", async () => {
  const ana = await onlineClient();
  const waiting = ana.once("signal");
  const closed = ana.once("status");
  ana.close();
  await assert.rejects(waiting, Closed);
  assert.equal((await closed).state, "closed");
  await assert.rejects(ana.once("signal"), Closed);
});

test("a loop over messages can be left early and ends when the client is closed", async () => {
  const ana = await onlineClient();
  const early = ana.messages("signal");
  assert.equal((await early.return()).done, true);
  const waiting = ana.messages("signal");
  const next = waiting.next();
  assert.equal((await waiting.return("enough")).value, "enough");
  assert.equal((await next).done, true);
  const closing = ana.messages("signal");
  FakeWebSocket.newest.says("signal", { data: 1 });
  const both = [closing.next(), closing.next()];
  ana.close();
  assert.deepEqual([(await both[0]).value.data, (await both[1]).done], [1, true]);
  for await (const _ of ana.messages()) assert.fail("there is nothing after the end");
});

test("a message named like a client event does not trigger it", async () => {
  const ana = await onlineClient();
  const heard = record(ana, "status", "users", "rooms", "message");
  FakeWebSocket.newest.says("users", { anything: "strange" });
  assert.deepEqual(heard, ["message"]);
});

test("requests before connect wait, and after close are refused", async () => {
  const ana = client();
  assert.equal(ana.send({ type: "ping" }), false);
  const early = ana.request({ type: "ping" });
  ana.close();
  await assert.rejects(early, Closed);
  await assert.rejects(ana.request({ type: "ping" }), Closed);
  ana.close();
  ana.connect();
  await settle();
  greet();
  const refused = ana.request({ type: "invite", to: 7 });
  const { id } = FakeWebSocket.newest.sentOf("invite")[0];
  FakeWebSocket.newest.says("error", { id, code: "SELF_INVITE", message: "No." });
  await assert.rejects(refused, Refused);
});
