// `socket.io-client` and a service that stops, dies or sends it away.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Service } from "./service.js";
import { ask, client, greeted, next } from "./socketio.js";

async function started(t, settings = {}) {
  const service = await new Service(settings).start();
  t.after(() => service.stop());
  return service;
}

for (const transports of [["websocket"], ["polling"]]) {
  const way = transports[0];

  test(`it reconnects after kill -9 in the middle of a match: ${way}`, async (t) => {
    const service = await started(t, { WS_MATCH_DURATION_S: "3", WS_RECONNECT_GRACE_S: "30" });
    const players = [];
    for (const name of ["Ana", "Ben"])
      players.push(await greeted(t, service, name, { transports }));
    const [ana, ben] = players;
    const rooms = players.map((player) => next(player, "room:start"));
    await ask(ana, "invite", { to: ben.userId });
    await ask(ben, "invite:accepted", { from: ana.userId });
    const [{ roomId }] = await Promise.all(rooms);
    for (const player of players) await ask(player, "game:join", { roomId });
    await ask(ana, "game:begin", { roomId });
    await Promise.all(players.map((player) => next(player, "game:timer")));
    const over = players.map((player) => next(player, "game:timeup"));
    // The page gets room:start again, and takes its seat.
    for (const player of players)
      player.on("room:start", (room) => player.emit("game:join", { roomId: room.roomId }));
    const back = players.map((player) => next(player, "welcome"));
    await service.kill();
    await service.start();
    await Promise.all(back);
    const [first, second] = await Promise.all(over);
    assert.deepEqual(first, second);
  });

  test(`it reconnects after a clean stop: ${way}`, async (t) => {
    const service = await started(t);
    const ana = await greeted(t, service, "Ana", { transports });
    const left = next(ana, "disconnect");
    await service.terminate();
    const [reason, details] = await left;
    assert.equal(reason, "transport close");
    if (way === "websocket")
      assert.deepEqual(
        [details.context.code, details.context.reason],
        [4001, "Server is restarting"],
      );
    await service.start();
    await next(ana, "user:list");
  });

  test(`it reconnects within the grace after its connection broke: ${way}`, async (t) => {
    const service = await started(t, { WS_HEARTBEAT_S: "1", WS_PRESENCE_GRACE_S: "20" });
    const ana = await greeted(t, service, "Ana", { transports });
    const ben = await greeted(t, service, "Ben", {
      transports,
      origin: new URL(service.directUrl).origin,
    });
    const left = next(ana, "disconnect");
    service.network.down();
    await left;
    service.network.up();
    await next(ana, "user:list");
    assert.equal((await ask(ben, "invite", { to: ana.userId })).ok, true);
    assert.deepEqual(
      ben.heard.filter(({ type }) => type === "user:offline"),
      [],
    );
  });

  test(`a flooding client is warned, then closed, and may reconnect: ${way}`, async (t) => {
    const service = await started(t, { WS_MESSAGES_PER_S: "1", WS_MESSAGES_BURST: "5" });
    const ana = await greeted(t, service, "Ana", { transports });
    const refused = next(ana, "error");
    const left = next(ana, "disconnect");
    for (let number = 0; number < 20; number++) ana.emit("lobby:leave");
    assert.equal((await refused).code, "RATE_LIMITED");
    const [reason, details] = await left;
    assert.equal(reason, "transport close");
    if (way === "websocket") assert.equal(details.context.code, 4013);
    await next(ana, "user:list");
  });

  test(`a socket above the limit replaces the oldest, which does not reconnect: ${way}`, async (t) => {
    const service = await started(t, { WS_SOCKETS_PER_USER_MAX: "1" });
    const ana = await greeted(t, service, "Ana", { transports });
    const left = next(ana, "disconnect");
    await greeted(t, service, "Ana", { transports, id: ana.userId });
    assert.equal((await left)[0], "io server disconnect");
    assert.equal(ana.active, false);
  });
}
