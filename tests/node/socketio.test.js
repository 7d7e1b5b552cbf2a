// `socket.io-client` 4 with the real service, together with plain sockets.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Service, freshId, makeToken } from "./service.js";
import { ask, client, greeted, next } from "./socketio.js";

const TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]];

let service;

before(async () => {
  service = await new Service({ WS_HEARTBEAT_S: "1", WS_MATCH_DURATION_S: "2" }).start();
});
after(() => service.stop());

/** A plain socket of the classic contract. */
async function plain(t, name) {
  const id = freshId();
  const socket = new WebSocket(`${service.url.replace("http", "ws")}?token=${makeToken(id, name)}`);
  const listeners = new Map();
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    listeners.get(message.type)?.forEach((listener) => listener(message));
  };
  t.after(() => socket.close());
  const made = {
    userId: id,
    on: (type, listener) => listeners.set(type, (listeners.get(type) ?? new Set()).add(listener)),
    off: (type, listener) => listeners.get(type)?.delete(listener),
    emit: (type, fields) => socket.send(JSON.stringify({ type, ...fields })),
  };
  await next(made, "user:list");
  return made;
}

for (const transports of TRANSPORTS) {
  const way = transports.join(", then ");

  test(`the greeting comes as events in its order: ${way}`, async (t) => {
    const ana = await greeted(t, service, "Ana", { transports });
    assert.deepEqual(ana.heard.slice(0, 3), [
      { type: "welcome", user: { id: ana.userId, name: "Ana" } },
      { type: "session:state", inRoom: false, roomId: null },
      { type: "user:list", users: ana.heard[2].users },
    ]);
    assert.ok(ana.heard[2].users.some(({ id }) => id === ana.userId));
    assert.match(ana.id, /^n1\.\d+\.\d+$/);
  });

  test(`a callback gets the acknowledgement: ${way}`, async (t) => {
    const ana = await greeted(t, service, "Ana", { transports });
    const ben = await greeted(t, service, "Ben", { transports });
    const invited = next(ben, "invite:received");
    const answer = await ask(ana, "invite", { to: ben.userId });
    assert.equal(answer.ok, true);
    assert.equal(typeof answer.position, "number");
    assert.deepEqual(await invited, { from: { id: ana.userId, name: "Ana" } });
    const { error } = await ask(ana, "invite", { to: ana.userId });
    assert.equal(error.code, "SELF_INVITE");
    assert.equal((await ask(ana, "no:such:thing")).error.code, "UNKNOWN_TYPE");
    assert.equal((await ask(ana, "invite", "you")).error.code, "BAD_INVITE");
  });

  test(`a client that only listens stays connected: ${way}`, async (t) => {
    const ana = await greeted(t, service, "Ana", { transports });
    for (let beat = 0; beat < 3; beat++) await next(ana.io, "ping");
    assert.equal(ana.heard.filter(({ type }) => type === "welcome").length, 1);
  });

  test(`a match against a plain socket and one with protocol v1: ${way}`, async (t) => {
    const ana = await greeted(t, service, "Ana", { transports });
    for (const other of [await plain(t, "Ben"), await service.connect(t, "Cyd")]) {
      const send = (type, fields) =>
        other.emit ? other.emit(type, fields) : other.request({ type, ...fields });
      const userId = other.userId ?? other.user.id;
      const started = next(ana, "room:start");
      const invited = next(other, "invite:received");
      await ask(ana, "invite", { to: userId });
      assert.equal((await invited).from.name, "Ana");
      send("invite:accepted", { from: ana.userId });
      const { roomId, players } = await started;
      assert.deepEqual(
        players.map(({ id }) => id),
        [ana.userId, userId],
      );
      const seated = next(ana, "room:players");
      assert.equal((await ask(ana, "game:join", { roomId })).ok, true);
      send("game:join", { roomId });
      assert.equal((await seated).youIndex, 0);
      const over = next(ana, "game:timeup");
      const overThere = next(other, other.emit ? "game:timeup" : "game:over");
      const begun = next(ana, "game:start");
      assert.equal((await ask(ana, "game:begin", { roomId })).ok, true);
      assert.deepEqual([(await begun).duration, (await begun).playerIndex], [2, 0]);
      const moved = next(ana, "game:update", ({ state }) => state.p1Y < 30 && state.p2Y > 45);
      ana.emit("game:move", { roomId, direction: "w", action: "down" });
      send("game:move", { roomId, direction: "ArrowDown", action: "down" });
      await moved;
      const { scores } = await over;
      const theirs = (await overThere).scores;
      assert.deepEqual(Array.isArray(theirs) ? theirs : [theirs.s1, theirs.s2], [
        scores.s1,
        scores.s2,
      ]);
      ana.emit("game:leave", { roomId });
    }
  });
}

test("messages sent during an upgrade are handled once and in order", async (t) => {
  const ana = client(t, service, "Ana");
  const upgraded = next(ana.io.engine, "upgrade");
  let isUpgraded = false;
  upgraded.then(() => (isUpgraded = true));
  await next(ana, "connect");
  const answers = [];
  do answers.push(await ask(ana, "lobby:join"), await ask(ana, "lobby:leave"));
  while (!isUpgraded);
  for (let number = 0; number < 10; number++) answers.push(ask(ana, "lobby:join"));
  const positions = (await Promise.all(answers)).map(({ position }) => position);
  assert.deepEqual(
    positions,
    [...positions].sort((one, other) => one - other),
  );
  assert.equal(ana.io.engine.transport.name, "websocket");
});

test("the token may also come in the query or in a header", async (t) => {
  const token = makeToken(freshId(), "Ana");
  await greeted(t, service, "Ana", { auth: {}, query: { token } });
  await greeted(t, service, "Ana", {
    auth: {},
    extraHeaders: { Authorization: `Bearer ${token}` },
  });
});

for (const [token, reason] of [
  [undefined, "Missing token"],
  ["nonsense", "Invalid or expired token"],
  [makeToken(1, "Ana", -60), "Invalid or expired token"],
])
  test(`a bad token is a connect_error with the reason: ${reason}, ${token?.length}`, async (t) => {
    const ana = client(t, service, "Ana", { auth: { token } });
    const error = await next(ana, "connect_error");
    assert.equal(error.message, reason);
    assert.deepEqual(error.data, { code: 1008 });
    assert.equal(ana.active, false, "it does not try again by itself");
    ana.auth = { token: makeToken(freshId(), "Ana") };
    ana.connect();
    await next(ana, "user:list");
  });

test("an unknown namespace is a connect_error, and other namespaces are unaffected", async (t) => {
  const ana = await greeted(t, service, "Ana", { transports: ["websocket"] });
  const other = ana.io.socket("/random", {});
  other.connect();
  const error = await next(other, "connect_error");
  assert.equal(error.message, "Invalid namespace");
  assert.equal((await ask(ana, "lobby:join")).ok, true);
});

test("a disconnect takes the user offline at once, and they may reconnect", async (t) => {
  const ana = await greeted(t, service, "Ana");
  const ben = await greeted(t, service, "Ben");
  const gone = next(ana, "user:offline", ({ userId }) => userId === ben.userId);
  ben.disconnect();
  await gone;
  const back = next(ana, "user:online", ({ userId }) => userId === ben.userId);
  ben.connect();
  await back;
});

test("binary data is refused by an error event", async (t) => {
  const ana = await greeted(t, service, "Ana");
  const error = next(ana, "error");
  ana.emit("lobby:join", { data: Buffer.from("abc") });
  assert.equal((await error).code, "BINARY_FRAME");
  assert.equal((await ask(ana, "lobby:join")).ok, true);
});
