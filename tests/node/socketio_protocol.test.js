// What the public test suites of Engine.IO 4 and Socket.IO 5 ask of a server, packet by packet.

import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";

import { Service, freshId, makeToken } from "./service.js";
import { Frames, Polls } from "./socketio.js";

let service;

before(async () => {
  service = await new Service({ WS_HEARTBEAT_S: "1", WS_SOCKETIO_CONNECT_S: "1" }).start();
});
after(() => service.stop());

const origin = () => new URL(service.url).origin;
const connect = () => `40${JSON.stringify({ token: makeToken(freshId(), "Ana") })}`;

async function refused(response, code, message) {
  assert.equal(response.status, 400);
  assert.deepEqual(await response.json(), { code, message });
}

/** A session over a WebSocket, after its greeting. */
async function session(t) {
  const frames = Frames.of(t, service);
  await frames.starting("0");
  frames.send(connect());
  assert.match(await frames.next(), /^40\{"sid":"[^"]+"\}$/);
  await frames.starting('42["user:list"');
  return frames;
}

function ping(frames) {
  return frames.starting("2").then(() => frames.send("3"));
}

suite("Engine.IO: handshake", () => {
  test("by polling", async () => {
    const { handshake } = await new Polls(service).open();
    assert.deepEqual(Object.keys(handshake).sort(), [
      "maxPayload",
      "pingInterval",
      "pingTimeout",
      "sid",
      "upgrades",
    ]);
    assert.deepEqual(handshake.upgrades, ["websocket"]);
    assert.deepEqual([handshake.pingInterval, handshake.pingTimeout], [1000, 500]);
    assert.equal(handshake.maxPayload, 65536);
  });

  test("by a WebSocket, without upgrades", async (t) => {
    const message = await Frames.of(t, service).next();
    assert.equal(message[0], "0");
    const { sid, upgrades } = JSON.parse(message.slice(1));
    assert.equal(typeof sid, "string");
    assert.deepEqual(upgrades, []);
  });

  for (const query of ["transport=polling", "EIO=abc&transport=polling", "EIO=3&transport=polling"])
    test(`an unknown version is refused: ${query}`, async () => {
      await refused(
        await fetch(`${origin()}/socket.io/?${query}`),
        5,
        "Unsupported protocol version",
      );
    });

  for (const query of ["EIO=4", "EIO=4&transport=abc"])
    test(`an unknown transport is refused: ${query}`, async () => {
      await refused(await fetch(`${origin()}/socket.io/?${query}`), 0, "Transport unknown");
    });

  for (const method of ["POST", "PUT", "DELETE"])
    test(`a handshake by ${method} is refused`, async () => {
      const url = `${origin()}/socket.io/?EIO=4&transport=polling`;
      await refused(await fetch(url, { method }), 2, "Bad handshake method");
    });

  test("an unknown session is refused", async () => {
    const url = `${origin()}/socket.io/?EIO=4&transport=polling&sid=abc`;
    await refused(await fetch(url), 1, "Session ID unknown");
  });

  test("a WebSocket transport without an upgrade request is refused", async () => {
    await refused(
      await fetch(`${origin()}/socket.io/?EIO=4&transport=websocket`),
      3,
      "Bad request",
    );
  });

  for (const query of [
    "transport=websocket",
    "EIO=abc&transport=websocket",
    "EIO=4&transport=abc",
    "EIO=4&transport=websocket&sid=abc",
    "EIO=4&transport=polling",
  ])
    test(`an invalid WebSocket request is refused: ${query}`, async (t) => {
      await Frames.of(t, service, query).failed;
    });
});

suite("Engine.IO: heartbeat", () => {
  test("pings are answered by polls and posts", async () => {
    const polls = await new Polls(service).open();
    await polls.post(connect());
    for (let beat = 0; beat < 3; beat++) {
      await polls.until((packets) => packets.includes("2"));
      assert.equal(await (await polls.post("3")).text(), "ok");
    }
  });

  test("pings are answered over a WebSocket", async (t) => {
    const frames = await session(t);
    for (let beat = 0; beat < 3; beat++) await ping(frames);
  });

  test("a client without pongs is closed, by polling", async () => {
    const polls = await new Polls(service).open();
    await polls.post(connect());
    await polls.until((packets) => packets.includes("2"));
    assert.equal(await (await polls.get()).text(), "6");
    assert.equal((await polls.get()).status, 400);
  });

  test("a client without pongs is closed, over a WebSocket", async (t) => {
    const frames = await session(t);
    assert.equal((await frames.closed).code, 1006);
  });
});

suite("Engine.IO: close", () => {
  test("by polling: the pending poll is answered", async () => {
    const polls = await new Polls(service).open();
    const polling = polls.get();
    // Asked for later, so that the poll has arrived.
    await fetch(new URL("/healthz", polls.base));
    const [poll, post] = await Promise.all([polling, polls.post("1")]);
    assert.deepEqual([poll.status, await poll.text(), post.status], [200, "6", 200]);
    await refused(await polls.get(), 1, "Session ID unknown");
  });

  test("over a WebSocket", async (t) => {
    const frames = await session(t);
    frames.send("1");
    await frames.closed;
  });

  test("two polls at once end the connection", async () => {
    const polls = await new Polls(service).open();
    const [first, second] = await Promise.all([polls.get(), polls.get()]);
    assert.deepEqual([first.status, second.status].sort(), [200, 400]);
    assert.equal((await polls.get()).status, 400);
  });

  for (const body of ["abc", "", "2", "5", "4abc", "\x1e", "9"])
    test(`an invalid post is refused: ${JSON.stringify(body)}`, async () => {
      const polls = await new Polls(service).open();
      await refused(await polls.post(body), 3, "Bad request");
      assert.equal((await polls.get()).status, 400);
    });
});

suite("Engine.IO: upgrade", () => {
  async function upgraded(t) {
    const polls = await new Polls(service).open();
    const query = `EIO=4&transport=websocket&sid=${polls.handshake.sid}`;
    const frames = Frames.of(t, service, query);
    await new Promise((resolve) => frames.socket.addEventListener("open", resolve));
    return { polls, frames, query };
  }

  test("from polling to a WebSocket, with a session and messages sent meanwhile", async (t) => {
    const { polls, frames } = await upgraded(t);
    await polls.post(connect());
    await polls.until((packets) => packets.some((one) => one.startsWith('42["user:list"')));
    const waiting = polls.get();
    frames.send("2probe");
    assert.equal(await frames.next(), "3probe");
    assert.equal((await waiting).status, 200);
    await polls.post('420["lobby:join"]\x1e421["matchmaking:join",{}]');
    frames.send("5");
    const [first, second] = [await frames.starting("430["), await frames.starting("431[")];
    assert.ok(JSON.parse(first.slice(3))[0].position < JSON.parse(second.slice(3))[0].position);
    frames.send('422["matchmaking:leave",{}]');
    await frames.starting("432[");
  });

  test("a pending poll is released when the client probes the WebSocket", async (t) => {
    const { polls, frames } = await upgraded(t);
    const waiting = polls.get();
    frames.send("2probe");
    assert.equal(await (await waiting).text(), "6");
    assert.equal(await (await polls.get()).text(), "6");
  });

  test("polling is refused afterwards", async (t) => {
    const { polls, frames } = await upgraded(t);
    frames.send("2probe");
    await frames.starting("3probe");
    frames.send("5");
    frames.send(connect());
    await frames.starting("40");
    await refused(await polls.get(), 3, "Bad request");
    await refused(await polls.post("1"), 3, "Bad request");
  });

  test("another WebSocket is refused afterwards", async (t) => {
    const { frames, query } = await upgraded(t);
    frames.send("2probe");
    await frames.starting("3probe");
    frames.send("5");
    frames.send(connect());
    await frames.starting("40");
    await Frames.of(t, service, query).failed;
    frames.send('420["lobby:join"]');
    await frames.starting("430[");
  });

  test("a WebSocket that does not probe is closed, and polling continues", async (t) => {
    const { polls, frames } = await upgraded(t);
    frames.send("4nonsense");
    await frames.closed;
    await polls.post(connect());
    await polls.until((packets) => packets.some((one) => one.startsWith("40")));
  });
});

suite("Socket.IO: connect and disconnect", () => {
  test("an unknown namespace is refused by an error object", async (t) => {
    const frames = Frames.of(t, service);
    await frames.starting("0");
    frames.send("40/random,");
    assert.equal(await frames.next(), '44/random,{"message":"Invalid namespace"}');
    frames.send(connect());
    await frames.starting("40{");
  });

  for (const packet of ["4abc", "40{", '42["lobby:join"]', "41", "44{}", "430[]", "47"])
    test(`a connection can't begin by ${packet}`, async (t) => {
      const frames = Frames.of(t, service);
      await frames.starting("0");
      frames.send(packet);
      assert.equal((await frames.closed).code, 1002);
    });

  test("a client that does not connect is closed after a while", async (t) => {
    const frames = Frames.of(t, service);
    await frames.starting("0");
    await frames.closed;
  });

  test("two connects on one connection close it", async (t) => {
    const frames = await session(t);
    frames.send(connect());
    assert.equal((await frames.closed).code, 1002);
  });

  test("a session can end and another one begin on the same connection", async (t) => {
    const frames = await session(t);
    frames.send("41");
    frames.send(connect());
    await frames.starting("40{");
    await frames.starting('42["user:list"');
  });
});

suite("Socket.IO: events", () => {
  test("an event is acknowledged by its ack id, also when it is refused", async (t) => {
    const frames = await session(t);
    frames.send('42456["lobby:join",{}]');
    assert.match(await frames.starting("43456"), /^43456\[\{"ok":true,"position":\d+\}\]$/);
    frames.send('42457["invite",{"to":1}]');
    assert.match(
      await frames.starting("43457"),
      /^43457\[\{"error":\{"code":"USER_OFFLINE","message":".*"\}\}\]$/,
    );
  });

  test("a refused event without an ack id is answered by an error event", async (t) => {
    const frames = await session(t);
    frames.send('42["invite",{"to":1}]');
    assert.match(await frames.starting("42"), /^42\["error",\{"code":"USER_OFFLINE","message":/);
  });

  test("fields can't override the type or the ack id", async (t) => {
    const frames = await session(t);
    frames.send('4212["lobby:join",{"id":5,"type":"lobby:join"}]');
    await frames.starting("4312[");
    frames.send('4213["lobby:join",{"type":"lobby:leave"}]');
    assert.match(await frames.starting("4313["), /BAD_MESSAGE/);
  });

  for (const packet of ["4253", "42{}", '42abc["a"]', "42[]", '42[{"a":1}]', "42[3]", '42["a"'])
    test(`an invalid event closes the connection: ${packet}`, async (t) => {
      const frames = await session(t);
      frames.send(packet);
      assert.equal((await frames.closed).code, 1002);
    });

  test("binary events are answered by an error event, and the session stays", async (t) => {
    const frames = await session(t);
    frames.send('451-["lobby:join",{"_placeholder":true,"num":0}]');
    frames.send(new Uint8Array([1, 2, 3]));
    assert.match(await frames.starting("42"), /^42\["error",\{"code":"BINARY_FRAME"/);
    frames.send('421["lobby:join"]');
    await frames.starting("431[");
  });

  test("an unexpected acknowledgement is ignored", async (t) => {
    const frames = await session(t);
    frames.send("4399[1]");
    frames.send('421["lobby:join"]');
    await frames.starting("431[");
  });
});
