// The client and a service that stops, is killed or loses its log; each test starts its own service.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "../../service/web/client/client.js";
import { Service, freshId, makeToken } from "./service.js";
import { listen, lost, next, online, room, say, until } from "./talk.js";

/** Graces long enough that no user expires while a test's service is down. */
const PATIENT = { WS_PRESENCE_GRACE_S: "60", WS_RECONNECT_GRACE_S: "60" };

async function started(t, settings = {}) {
  const service = await new Service({ ...PATIENT, ...settings }).start();
  t.after(() => service.stop());
  return service;
}

test("a killed and restarted service loses nothing and repeats nothing", async (t) => {
  const service = await started(t);
  const ana = await service.connect(t, "Ana");
  const ben = await service.connect(t, "Ben");
  const cyd = await service.connect(t, "Cyd", { url: service.directUrl, attemptsMax: 0 });
  const roomId = await room(ana, ben);
  await cyd.request({ type: "room:join", roomId, role: "spectator" });
  const [heard, atCyd] = [listen(ana), listen(cyd)];
  await say(ben, roomId, "before");
  service.network.deafen();
  const answers = [say(ben, roomId, "in between")];
  await until(cyd, () => atCyd.includes("in between"));
  await service.kill();
  service.network.hear();
  answers.push(say(ben, roomId, "after"));
  await service.start();
  await Promise.all(answers);
  await until(ana, () => heard.includes("after"));
  assert.deepEqual(heard, ["before", "in between", "after"]);
  await until(ana, () => ana.users.has(ben.user.id));
  const seated = () => ana.rooms.get(roomId).seats.filter(({ user, away }) => user && !away);
  await until(ana, () => seated().length === 2);
});

test("repeatedly disconnected clients get the same messages, each once and in order", async (t) => {
  const service = await started(t, {
    WS_CHAT_PER_S: "1000",
    WS_CHAT_BURST: "1000",
  });
  const clients = [];
  for (const name of ["Ana", "Ben", "Cyd"]) clients.push(await service.connect(t, name));
  const roomId = await room(...clients);
  const heard = clients.map(listen);
  for (const client of clients) {
    // There is no need to wait for what the test is about.
    client.on("status", ({ state }) => state === "waiting" && setImmediate(() => client.connect()));
  }
  let said = 0;
  const talk = async (client) => {
    for (let number = 0; number < 30; number++) {
      await say(client, roomId, `${client.user.name} ${number}`);
      said++;
      if (said % 4 === 0) service.network.cut();
      if (said === 45) await service.kill().then(() => service.start());
    }
  };
  await Promise.all(clients.map(talk));
  for (const [index, client] of clients.entries())
    await until(client, () => heard[index].length >= 90);
  for (const client of clients) {
    const own = heard[0].filter((text) => text.startsWith(client.user.name));
    assert.deepEqual(
      own,
      Array.from({ length: 30 }, (_, number) => `${client.user.name} ${number}`),
    );
  }
  assert.deepEqual(heard[1], heard[0]);
  assert.deepEqual(heard[2], heard[0]);
});

test("an idle client stays connected, and its cursor advances with the log", async (t) => {
  const service = await started(t, { WS_HEARTBEAT_S: "1" });
  const ana = await service.connect(t, "Ana");
  const { sessionId, cursor } = ana;
  await service.connect(t, "Ben");
  for (let beat = 0; beat < 4; beat++) await ana.once("heartbeat");
  assert.deepEqual([ana.status.state, ana.sessionId], ["online", sessionId]);
  assert.ok(ana.cursor.position > cursor.position);
});

test("a stopping service announces it, and the client reconnects to the next one", async (t) => {
  const service = await started(t);
  const ana = await service.connect(t, "Ana");
  const draining = next(ana, "server:draining");
  const closed = lost(ana);
  await service.terminate();
  assert.ok((await draining).retryMs > 0);
  assert.equal((await closed).code, 4001);
  await service.start();
  assert.equal((await online(ana)).resumed, true);
});

test("a client that missed more than the tail gets a resync with a fresh greeting", async (t) => {
  const service = await started(t, { WS_TAIL_EVENTS_MAX: "5" });
  const ana = await service.connect(t, "Ana");
  const ben = await service.connect(t, "Ben", { url: service.directUrl });
  const roomId = await room(ana, ben);
  const heard = listen(ana);
  service.network.down();
  await lost(ana);
  for (let number = 0; number < 10; number++) await say(ben, roomId, `${number}`);
  const resync = next(ana, "resync");
  service.network.up();
  assert.equal((await resync).reason, "too_old");
  assert.equal(ana.status.resumed, false);
  await until(ana, () => ana.rooms.has(roomId));
  await say(ben, roomId, "and then");
  await until(ana, () => heard.includes("and then"));
  assert.deepEqual(heard, ["and then"], "never a part of what was missed");
});

test("a token is refreshed before it expires, and the socket stays open", async (t) => {
  const service = await started(t, { JWT_LEEWAY_S: "0" });
  const id = freshId();
  const reasons = [];
  const ana = new Client({
    url: service.url,
    token: (reason) => {
      reasons.push(reason);
      return makeToken(id, "Ana", reason === "connect" ? 20 : 3600);
    },
  });
  t.after(() => ana.close());
  const { sessionId } = await ana.connect();
  await next(ana, "ack");
  await ana.request({ type: "ping" });
  assert.deepEqual(reasons, ["connect", "expiring"]);
  assert.equal(ana.sessionId, sessionId);
});

test("an expired token closes the socket, and a new one opens the next", async (t) => {
  const service = await started(t, { JWT_LEEWAY_S: "0", WS_TOKEN_GRACE_S: "0" });
  const id = freshId();
  const ana = new Client({
    url: service.url,
    token: (reason) => {
      if (reason === "expiring") throw new Error("the auth service is away");
      return makeToken(id, "Ana", reason === "connect" ? 2 : 3600);
    },
  });
  t.after(() => ana.close());
  await ana.connect();
  assert.equal((await lost(ana)).code, 4005);
  assert.equal((await online(ana)).resumed, true);
});
