// The client and a service that stops, dies or forgets: each test has a service of its own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "../../service/web/client.js";
import { Service, freshId, makeToken } from "./service.js";
import { listen, lost, next, online, room, say, until } from "./talk.js";

async function started(t, settings = {}) {
  const service = await new Service(settings).start();
  t.after(() => service.stop());
  return service;
}

test("a service that dies and comes back has lost nothing, and does nothing twice", async (t) => {
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

test("a service that stops says so, and the client comes back to the next one", async (t) => {
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

test("a client that missed more than is kept begins anew, with all that stands", async (t) => {
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

test("a token is replaced before it ends, and the socket stays", async (t) => {
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

test("a token that is refused is replaced by another one", async (t) => {
  const service = await started(t);
  const id = freshId();
  const ana = new Client({
    url: service.url,
    token: (reason) => makeToken(id, "Ana", reason === "refused" ? 3600 : -3600),
  });
  t.after(() => ana.close());
  await ana.connect();
  assert.equal(ana.user.id, id);
});
