// Socket.IO, as tests speak it: by the real client, and packet by packet.

import assert from "node:assert/strict";

import { io } from "socket.io-client";

import { freshId, makeToken } from "./service.js";

/** A socket of the real client for a new user; `test` closes it at its end. */
export function client(test, service, name, options = {}) {
  const id = options.id ?? freshId();
  const socket = io(options.origin ?? new URL(service.url).origin, {
    forceNew: true,
    reconnectionDelay: 50,
    reconnectionDelayMax: 200,
    auth: { token: makeToken(id, name) },
    ...options,
  });
  socket.userId = id;
  socket.heard = [];
  socket.onAny((type, fields) => socket.heard.push({ type, ...fields }));
  test.after(() => socket.disconnect());
  return socket;
}

/** The next event of this type that `where` is true of. */
export function next(socket, type, where = () => true) {
  return new Promise((resolve) => {
    const listen = (...values) => {
      if (!where(...values)) return;
      socket.off(type, listen);
      resolve(values.length > 1 ? values : values[0]);
    };
    socket.on(type, listen);
  });
}

/** A socket of the real client that was greeted. */
export async function greeted(test, service, name, options = {}) {
  const socket = client(test, service, name, options);
  await next(socket, "user:list");
  return socket;
}

/** Asks, and returns the acknowledgement. */
export function ask(socket, type, fields = {}) {
  return socket.timeout(20000).emitWithAck(type, fields);
}

/** One Engine.IO connection by polling, packet by packet. */
export class Polls {
  constructor(service) {
    this.base = `${new URL(service.url).origin}/socket.io/?EIO=4&transport=polling`;
  }

  async open() {
    const response = await fetch(this.base);
    assert.equal(response.status, 200);
    const text = await response.text();
    assert.equal(text[0], "0");
    this.handshake = JSON.parse(text.slice(1));
    this.url = `${this.base}&sid=${this.handshake.sid}`;
    return this;
  }

  get() {
    return fetch(this.url);
  }

  post(body) {
    return fetch(this.url, { method: "POST", body });
  }

  /** What comes by polls, until `enough` of what has come. */
  async until(enough) {
    const packets = [];
    while (!enough(packets)) {
      const response = await this.get();
      assert.equal(response.status, 200);
      packets.push(...(await response.text()).split("\x1e"));
    }
    return packets;
  }
}

/** A WebSocket that queues its messages until they are read. */
export class Frames {
  #waiting = [];
  #wanted = [];

  constructor(test, url) {
    this.socket = new WebSocket(url);
    this.socket.onmessage = ({ data }) => {
      const wanted = this.#wanted.shift();
      if (wanted) wanted(data);
      else this.#waiting.push(data);
    };
    this.closed = new Promise((resolve) => (this.socket.onclose = resolve));
    this.failed = new Promise((resolve) => (this.socket.onerror = resolve));
    test.after(() => this.socket.close());
  }

  static of(test, service, query = "EIO=4&transport=websocket") {
    return new Frames(
      test,
      `${new URL(service.url).origin.replace("http", "ws")}/socket.io/?${query}`,
    );
  }

  next() {
    if (this.#waiting.length) return Promise.resolve(this.#waiting.shift());
    return new Promise((resolve) => this.#wanted.push(resolve));
  }

  /** The next message that begins so. */
  async starting(text) {
    for (;;) {
      const message = await this.next();
      if (message.startsWith?.(text)) return message;
    }
  }

  send(text) {
    this.socket.send(text);
  }
}
