// The client and the real service, with a network between them that breaks.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Client, Refused } from "../../service/web/client/client.js";
import { Service, freshId, makeToken } from "./service.js";
import { listen, lost, next, online, room, say, until } from "./talk.js";

/** @type {Service} */
let service;

before(async () => {
  service = await new Service({
    WS_CHAT_PER_S: "1000",
    WS_CHAT_BURST: "1000",
    // Graces long enough that no user expires while disconnected.
    WS_PRESENCE_GRACE_S: "60",
    WS_RECONNECT_GRACE_S: "60",
  }).start();
});
after(() => service.stop());

test("the client knows its own user and who is online", async (t) => {
  const ana = await service.connect(t, "Ana");
  assert.equal(ana.user.name, "Ana");
  await until(ana, () => ana.users.get(ana.user.id)?.status === "online");
  assert.ok(ana.limits.messagesPerS > 0);
  assert.ok(ana.cursor.epoch);
});

test("a command is answered with its position, and a refused one with a code", async (t) => {
  const ana = await service.connect(t, "Ana");
  const { position } = await ana.request({ type: "lobby:join" });
  assert.ok(position > 0);
  const refused = ana.request({ type: "invite", to: ana.user.id });
  await assert.rejects(
    refused,
    (error) => error instanceof Refused && error.code === "SELF_INVITE",
  );
  const pong = await ana.request({ type: "ping" });
  assert.equal(pong.type, "pong");
});

test("presence changes arrive as diffs", async (t) => {
  const ana = await service.connect(t, "Ana");
  let lists = 0;
  ana.on("user:list", () => lists++);
  const ben = await service.connect(t, "Ben");
  const { id } = ben.user;
  await until(ana, () => ana.users.has(id));
  await ben.request({ type: "user:status", status: "away" });
  await until(ana, () => ana.users.get(id).status === "away");
  await ben.request({ type: "user:status", hidden: true });
  await until(ana, () => !ana.users.has(id));
  await ben.request({ type: "user:status", hidden: false });
  await until(ana, () => ana.users.has(id));
  ben.close();
  await until(ana, () => !ana.users.has(id));
  assert.equal(lists, 0);
});

test("an accepted invite leads both users into a match", async (t) => {
  const [ana, ben] = [await service.connect(t, "Ana"), await service.connect(t, "Ben")];
  const invited = next(ben, "invite:received");
  await ana.request({ type: "invite", to: ben.user.id });
  assert.equal((await invited).from.id, ana.user.id);
  const starts = Promise.all([ana, ben].map((client) => next(client, "room:start")));
  await ben.request({ type: "invite:accepted", from: ana.user.id });
  const [{ roomId }] = await starts;
  const begun = Promise.all([ana, ben].map((client) => next(client, "game:start")));
  for (const client of [ana, ben]) await client.request({ type: "game:join", roomId });
  await ana.request({ type: "game:begin", roomId });
  assert.deepEqual(
    (await begun).map(({ playerIndex }) => playerIndex),
    [0, 1],
  );
  const { state, tick } = await next(ben, "game:update");
  assert.deepEqual([state.s1, state.s2, tick >= 0], [0, 0, true]);
  await ben.request({ type: "game:leave", roomId });
});

test("the state of a room is kept current from creation to close", async (t) => {
  const [ana, ben] = [await service.connect(t, "Ana"), await service.connect(t, "Ben")];
  const roomId = await room(ana, ben);
  const names = () => ana.rooms.get(roomId)?.seats.flatMap(({ user }) => user?.name ?? []);
  await until(ana, () => names()?.join() === "Ana,Ben");
  assert.equal(ana.rooms.get(roomId).host, ana.user.id);
  await ana.request({ type: "room:leave", roomId });
  assert.equal(ana.rooms.has(roomId), false);
  await until(ben, () => ben.rooms.get(roomId).host === ben.user.id);
});

test("a spectator has no seat and sees the match at once", async (t) => {
  const clients = [];
  for (const name of ["Ana", "Ben", "Eve"]) clients.push(await service.connect(t, name));
  const [ana, ben, eve] = clients;
  const { roomId } = await ana.request({ type: "room:create", game: "connect_four" });
  await ben.request({ type: "room:join", roomId });
  const begun = next(ana, "game:start");
  for (const client of [ana, ben]) await client.request({ type: "room:ready", roomId });
  await begun;
  const seen = Promise.all([next(eve, "game:start"), next(eve, "game:update")]);
  await eve.request({ type: "room:join", roomId, role: "spectator" });
  const [start, update] = await seen;
  assert.equal(start.playerIndex, null);
  assert.equal(update.roomId, roomId);
  await until(ana, () => ana.rooms.get(roomId)?.spectators === 1);
  assert.equal(ana.rooms.get(roomId).seats.length, 2);
  const moved = next(eve, "game:moved");
  const player = update.state.turn === 0 ? ana : ben;
  await player.request({ type: "game:move", roomId, move: { column: 3 } });
  assert.equal((await moved).seat, update.state.turn);
});

test("public rooms are listed page by page", async (t) => {
  const ana = await service.connect(t, "Ana");
  const roomId = await room(ana);
  const found = [];
  let cursor;
  do {
    const page = await ana.request({ type: "room:list", game: "relay", limit: 1, cursor });
    found.push(...page.rooms.map((one) => one.roomId));
    cursor = page.cursor;
  } while (cursor);
  assert.ok(found.includes(roomId));
});

test("signals reach a user, or the others in a room", async (t) => {
  const [ana, ben] = [await service.connect(t, "Ana"), await service.connect(t, "Ben")];
  const roomId = await room(ana, ben);
  const offered = next(ben, "signal");
  ana.send({ type: "signal", to: ben.user.id, data: { offer: 1 } });
  const { from, sessionId, data } = await offered;
  assert.deepEqual([from, sessionId, data], [ana.user.id, ana.sessionId, { offer: 1 }]);
  const answered = next(ana, "signal");
  ben.send({ type: "signal", roomId, data: [2] });
  assert.deepEqual((await answered).data, [2]);
});

test("chat reaches the room, and later joiners get its history", async (t) => {
  const [ana, ben] = [await service.connect(t, "Ana"), await service.connect(t, "Ben")];
  const roomId = await room(ana);
  const heard = next(ana, "chat:message");
  await say(ana, roomId, "Is anybody here?");
  assert.equal((await heard).from.id, ana.user.id);
  const history = next(ben, "chat:history");
  await ben.request({ type: "room:join", roomId });
  assert.deepEqual(
    (await history).messages.map(({ text }) => text),
    ["Is anybody here?"],
  );
});

test("a disconnected client gets what it missed, each once and in order", async (t) => {
  // Each has its own proxy, so that one of them can be disconnected.
  const ana = await service.connect(t, "Ana");
  const ben = await service.connect(t, "Ben", { url: service.directUrl });
  const roomId = await room(ana, ben);
  const heard = listen(ana);
  await say(ben, roomId, "1");
  service.network.down();
  await lost(ana);
  for (const text of ["2", "3", "4"]) await say(ben, roomId, text);
  service.network.up();
  assert.deepEqual(await online(ana), { state: "online", resumed: true });
  await say(ben, roomId, "5");
  await until(ana, () => heard.includes("5"));
  assert.deepEqual(heard, ["1", "2", "3", "4", "5"]);
});

test("returning players and spectators rejoin their rooms", async (t) => {
  const ana = await service.connect(t, "Ana");
  const eve = await service.connect(t, "Eve");
  const ben = await service.connect(t, "Ben", { url: service.directUrl });
  const roomId = await room(ana, ben);
  await eve.request({ type: "room:join", roomId, role: "spectator" });
  service.network.cut();
  await Promise.all([online(ana), online(eve)]);
  // The answer comes after those to the commands before it, as joining again is.
  await Promise.all([ana, eve].map((client) => client.request({ type: "ping" })));
  const signalled = Promise.all([ana, eve].map((client) => next(client, "signal")));
  ben.send({ type: "signal", roomId, data: "to these sockets" });
  for (const { data } of await signalled) assert.equal(data, "to these sockets");
  await until(ben, () => ben.rooms.get(roomId).spectators === 1);
});

test("no message is lost wherever the connection breaks", async (t) => {
  const ana = await service.connect(t, "Ana");
  const ben = await service.connect(t, "Ben", { url: service.directUrl });
  const roomId = await room(ana, ben);
  const heard = listen(ana);
  const said = Array.from({ length: 60 }, (_, index) => String(index));
  for (const [index, text] of said.entries()) {
    await say(ben, roomId, text);
    if (index % 7 === 3) service.network.cut();
    if (index % 7 === 5 && ana.status.state === "waiting") ana.connect();
  }
  await until(ana, () => heard.includes("59"));
  assert.deepEqual(heard, said);
});

test("a command whose ack is lost happens once", async (t) => {
  const ana = await service.connect(t, "Ana");
  const ben = await service.connect(t, "Ben", { url: service.directUrl });
  const roomId = await room(ana, ben);
  const heard = listen(ben);
  service.network.deafen();
  const answered = say(ana, roomId, "once");
  await until(ben, () => heard.length > 0);
  service.network.hear();
  service.network.cut();
  const { position } = await answered;
  assert.ok(position > 0);
  await say(ana, roomId, "then");
  await until(ben, () => heard.includes("then"));
  assert.deepEqual(heard, ["once", "then"]);
});

test("a refused token is replaced by another one", async (t) => {
  const id = freshId();
  const ana = new Client({
    url: service.url,
    token: (reason) => makeToken(id, "Ana", reason === "refused" ? 3600 : -3600),
  });
  t.after(() => ana.close());
  await ana.connect();
  assert.equal(ana.user.id, id);
});

test("a reloaded page resumes at its stored cursor", async (t) => {
  const id = freshId();
  const options = { url: service.url, token: () => makeToken(id, "Ana") };
  const before = new Client(options);
  await before.connect();
  const roomId = await room(before);
  const { cursor } = before;
  const ben = await service.connect(t, "Ben");
  await ben.request({ type: "room:join", roomId });
  for (const text of ["1", "2"]) await say(ben, roomId, text);
  before.close();
  const after = new Client({ ...options, cursor });
  t.after(() => after.close());
  const heard = listen(after);
  await after.connect();
  assert.deepEqual(after.status, { state: "online", resumed: true });
  assert.deepEqual(heard, ["1", "2"]);
});
