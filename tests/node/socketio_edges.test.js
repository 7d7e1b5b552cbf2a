// The corners of Engine.IO 4 and Socket.IO 5: limits, requests at once, upgrades that go wrong.

import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";

import { Service, freshId, makeToken } from "./service.js";
import { Frames, Polls } from "./socketio.js";

const BYTES_MAX = 65536;

let service;

before(async () => {
  service = await new Service({ WS_HEARTBEAT_S: "5", WS_SOCKETIO_CONNECT_S: "5" }).start();
});
after(() => service.stop());

const base = () => `${new URL(service.url).origin}/socket.io/`;
const connect = (id = freshId()) => `40${JSON.stringify({ token: makeToken(id, "Ana") })}`;
const greeting = (packets) => packets.some((one) => one.startsWith('42["user:list"'));
const acknowledged = (number) => (packets) => packets.some((one) => one.startsWith(`43${number}[`));

async function refused(response, code, message) {
  assert.equal(response.status, 400);
  assert.deepEqual(await response.json(), { code, message });
}

/** A session by polling, after its greeting. */
async function polling() {
  const polls = await new Polls(service).open();
  await polls.post(connect());
  await polls.until(greeting);
  return polls;
}

/** A session over a WebSocket, after its greeting. */
async function session(t) {
  const frames = Frames.of(t, service);
  await frames.starting("0");
  frames.send(connect());
  await frames.starting('42["user:list"');
  return frames;
}

/** A WebSocket that may take over what is polled. */
async function candidate(t, polls) {
  const frames = Frames.of(t, service, `EIO=4&transport=websocket&sid=${polls.handshake.sid}`);
  await new Promise((resolve) => frames.socket.addEventListener("open", resolve));
  return frames;
}

/** An event of so many bytes, with its digits and brackets. */
function long(number, bytes) {
  const [head, tail] = [`42${number}["lobby:join",{"x":"`, '"}]'];
  return head + "x".repeat(bytes - head.length - tail.length) + tail;
}

suite("Engine.IO: requests", () => {
  for (const transport of ["constructor", "__proto__", "toString", "POLLING", "polling%00", ""])
    test(`an unknown transport is refused: ${JSON.stringify(transport)}`, async () => {
      await refused(await fetch(`${base()}?EIO=4&transport=${transport}`), 0, "Transport unknown");
    });

  for (const sid of ["", "constructor", "__proto__", "%00", "x".repeat(4000)])
    test(`an unknown session is refused: ${JSON.stringify(sid.slice(0, 20))}`, async () => {
      const url = `${base()}?EIO=4&transport=polling&sid=${sid}`;
      await refused(await fetch(url), 1, "Session ID unknown");
      await refused(await fetch(url, { method: "POST", body: "1" }), 1, "Session ID unknown");
    });

  for (const method of ["PUT", "PATCH", "DELETE"])
    test(`${method} is refused, and the connection stays open`, async () => {
      const polls = await polling();
      await refused(await fetch(polls.url, { method }), 3, "Bad request");
      await polls.post('421["lobby:join"]');
      await polls.until(acknowledged(1));
    });

  test("each connection has its own unguessable sid", async () => {
    const many = await Promise.all(Array.from({ length: 20 }, () => new Polls(service).open()));
    const sids = many.map((polls) => polls.handshake.sid);
    assert.equal(new Set(sids).size, 20);
    for (const sid of sids) assert.match(sid, /^n1\.[\w-]{20,}$/);
  });

  test("polls are answered by uncacheable text", async () => {
    const response = await fetch(`${base()}?EIO=4&transport=polling`);
    assert.match(response.headers.get("content-type"), /^text\/plain; charset=utf-8$/i);
    assert.equal(response.headers.get("cache-control"), "no-store");
  });

  test("two posts at once end the connection", async () => {
    const polls = await polling();
    let release;
    const slow = new ReadableStream({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode("4"));
        await new Promise((resolve) => (release = resolve));
        controller.enqueue(new TextEncoder().encode('21["lobby:join"]'));
        controller.close();
      },
    });
    const first = fetch(polls.url, { method: "POST", body: slow, duplex: "half" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await refused(await polls.post('422["lobby:join"]'), 3, "Bad request");
    release();
    await first;
    await refused(await polls.get(), 1, "Session ID unknown");
  });
});

suite("Engine.IO: payloads", () => {
  test("packets in one post are handled in order", async () => {
    const polls = await polling();
    const all = Array.from({ length: 50 }, (_, number) => `42${number}["lobby:request"]`);
    assert.equal(await (await polls.post(all.join("\x1e"))).text(), "ok");
    const packets = await polls.until(acknowledged(49));
    const numbers = packets
      .filter((one) => one.startsWith("43"))
      .map((one) => parseInt(one.slice(2)));
    assert.deepEqual(numbers, [...all.keys()]);
  });

  test("an invalid packet closes the connection after the packets before it", async () => {
    const id = freshId();
    const polls = await new Polls(service).open();
    await polls.post(connect(id));
    await polls.until(greeting);
    await refused(
      await polls.post('421["user:list:request"]\x1e9\x1e422["lobby:join"]'),
      3,
      "Bad request",
    );
    await refused(await polls.get(), 1, "Session ID unknown");
    const again = await new Polls(service).open();
    await again.post(connect(id));
    await again.until(greeting);
    await again.post('421["lobby:request"]');
    const packets = await again.until(acknowledged(1));
    const lobby = packets.find((one) => one.startsWith('42["lobby:list"'));
    assert.ok(!JSON.parse(lobby.slice(2))[1].users.some((user) => user.id === id));
  });

  test("a post of maxPayload bytes is accepted, one byte more is not", async () => {
    const polls = await polling();
    assert.equal((await polls.post(long(1, BYTES_MAX))).status, 200);
    await polls.until(acknowledged(1));
    assert.equal((await polls.post(long(2, BYTES_MAX + 1))).status, 413);
    await refused(await polls.get(), 1, "Session ID unknown");
  });

  test("a WebSocket message above maxPayload is closed by 1009", async (t) => {
    const frames = await session(t);
    frames.send(long(1, BYTES_MAX));
    await frames.starting("431[");
    frames.send(long(2, BYTES_MAX + 1));
    assert.equal((await frames.closed).code, 1009);
  });

  test("a post that is not UTF-8 closes the connection", async () => {
    const polls = await polling();
    const body = new Uint8Array([0x34, 0x32, 0xff]);
    await refused(await polls.post(body), 3, "Bad request");
    await refused(await polls.get(), 1, "Session ID unknown");
  });

  for (const body of ["bAQIDBA==", "b", "b\x1eb!"])
    test(`binary data in a post is ignored: ${JSON.stringify(body)}`, async () => {
      const polls = await polling();
      assert.equal((await polls.post(body)).status, 200);
      await polls.post('421["lobby:join"]');
      await polls.until(acknowledged(1));
    });

  test("a binary event in a post is refused, and its attachment ignored", async () => {
    const polls = await polling();
    await polls.post(
      '451-7["lobby:join",{"_placeholder":true,"num":0}]\x1ebAQID\x1e428["lobby:join"]',
    );
    const packets = await polls.until(acknowledged(8));
    assert.ok(packets.some((one) => one.includes("BINARY_FRAME")));
  });
});

suite("Engine.IO: upgrades that go wrong", () => {
  for (const first of ["5", "3probe", "2", "2Probe", "40", "1", new Uint8Array([50])])
    test(`${first} is not a probe, and polling continues`, async (t) => {
      const polls = await polling();
      const frames = await candidate(t, polls);
      frames.send(first);
      await frames.closed;
      await polls.post('421["lobby:join"]');
      await polls.until(acknowledged(1));
    });

  for (const second of ["2probe", "3", "4", '42["lobby:join"]', ""])
    test(`after the probe, ${JSON.stringify(second)} does not upgrade, and polling continues`, async (t) => {
      const polls = await polling();
      const frames = await candidate(t, polls);
      frames.send("2probe");
      await frames.starting("3probe");
      frames.send(second);
      await frames.closed;
      await polls.post('421["lobby:join"]');
      await polls.until(acknowledged(1));
    });

  test("losing a WebSocket after its probe does not affect polling", async (t) => {
    const polls = await polling();
    const frames = await candidate(t, polls);
    frames.send("2probe");
    await frames.starting("3probe");
    frames.socket.close();
    await frames.closed;
    await polls.post('421["lobby:join"]');
    await polls.until(acknowledged(1));
  });

  test("only one of two WebSockets can upgrade a connection", async (t) => {
    const polls = await polling();
    const first = await candidate(t, polls);
    const second = Frames.of(t, service, `EIO=4&transport=websocket&sid=${polls.handshake.sid}`);
    await second.failed;
    first.send("2probe");
    await first.starting("3probe");
    first.send("5");
    first.send('421["lobby:join"]');
    await first.starting("431[");
  });

  test("a connection that closes during a probe is not upgraded", async (t) => {
    const polls = await polling();
    const frames = await candidate(t, polls);
    frames.send("2probe");
    await frames.starting("3probe");
    await polls.post("1");
    frames.send("5");
    await frames.closed;
    await refused(await polls.post("3"), 1, "Session ID unknown");
  });

  test("a message posted just before the upgrade is answered once, over the WebSocket", async (t) => {
    const polls = await polling();
    const frames = await candidate(t, polls);
    frames.send("2probe");
    await frames.starting("3probe");
    await polls.post('421["lobby:join"]\x1e422["lobby:leave"]');
    frames.send("5");
    frames.send('423["lobby:join"]');
    const heard = [];
    while (!heard.includes("433")) {
      const text = await frames.next();
      if (text.startsWith("43")) heard.push(text.slice(0, 3));
    }
    assert.deepEqual(heard, ["431", "432", "433"]);
  });
});

suite("Socket.IO: packets", () => {
  for (const packet of ["40/,", "40/?token=x,", "40"])
    test(`${packet} connects to the main namespace`, async (t) => {
      const frames = Frames.of(t, service);
      await frames.starting("0");
      frames.send(packet === "40" ? connect() : packet + connect().slice(2));
      await frames.starting("40{");
    });

  for (const auth of [
    "[]",
    "1",
    '"x"',
    "null",
    "{}",
    '{"token":1}',
    '{"token":null}',
    '{"token":{}}',
  ])
    test(`an auth of ${auth} has no token`, async (t) => {
      const frames = Frames.of(t, service);
      await frames.starting("0");
      frames.send(`40${auth}`);
      const { message, data } = JSON.parse((await frames.starting("44")).slice(2));
      assert.deepEqual([message, data.code], ["Missing token", 1008]);
      // Another try on the same connection.
      frames.send(connect());
      await frames.starting("40{");
    });

  for (const auth of ["{", '{"token":"x"}x', "nothing"])
    test(`an auth that is not JSON closes the connection: ${auth.slice(0, 20)}`, async (t) => {
      const frames = Frames.of(t, service);
      await frames.starting("0");
      frames.send(`40${auth}`);
      assert.equal((await frames.closed).code, 1002);
    });

  test("packets for other namespaces are ignored", async (t) => {
    const frames = await session(t);
    for (const packet of ['42/x,["lobby:join"]', "41/x,", "43/x,1[]", "44/x,{}"])
      frames.send(packet);
    frames.send('421["lobby:join"]');
    await frames.starting("431[");
  });

  for (const packet of [
    "4",
    "48",
    "4-1",
    '42\u0661["a"]',
    "45[]",
    "451",
    "45x-[]",
    '4299999999999999999["a"]',
  ])
    test(`an invalid packet closes the connection: ${JSON.stringify(packet)}`, async (t) => {
      const frames = await session(t);
      frames.send(packet);
      assert.equal((await frames.closed).code, 1002);
    });

  for (const data of ["[]", "{}", "1", '"x"', "null", "{}, {}", '{"type":"lobby:leave"}'])
    test(`an event with ${data} is answered once`, async (t) => {
      const frames = await session(t);
      frames.send(`421["lobby:request",${data}]`);
      frames.send('422["lobby:request"]');
      const heard = [];
      while (!heard.includes("432")) {
        const text = await frames.next();
        if (text.startsWith("43")) heard.push(text.slice(0, 3));
      }
      assert.deepEqual(heard, ["431", "432"]);
    });

  for (const name of ["", "connect", "disconnect", "error", "__proto__", "\\u0000", "\\ud800"])
    test(`an unknown event is refused, and the session stays: ${JSON.stringify(name)}`, async (t) => {
      const frames = await session(t);
      frames.send(`421["${name}",{}]`);
      assert.match(await frames.starting("431["), /"code":"(UNKNOWN_TYPE|BAD_[A-Z]+)"/);
      frames.send('422["lobby:join"]');
      await frames.starting("432[");
    });

  test("a connection with a refused session has the connect timeout", async (t) => {
    const frames = Frames.of(t, service);
    await frames.starting("0");
    for (let count = 0; count < 3; count++) {
      frames.send("40{}");
      await frames.starting("44");
    }
    frames.send(connect());
    await frames.starting("40{");
  });
});
