// The real service as a separate process, behind a proxy that can be cut.

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { Client } from "../../service/web/client/client.js";

/** The interpreter that has the service installed. */
const PYTHON = process.env.PYTHON ?? ".venv/bin/python";
const SECRET = "a-secret-of-the-acceptance-tests-of-forty-bytes";
const FOREIGN_SETTINGS = /^(WS_|JWT_|LOG_LEVEL|VAULT_|USER_SERVICE_)/;

let users = 1000;

/** A user id that no other test uses. */
export function freshId() {
  return ++users;
}

/** A token as the auth service makes it. */
export function makeToken(id, name, ttlS = 3600) {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ id, name, iat: now, exp: now + ttlS })}`;
  return `${body}.${createHmac("sha256", SECRET).update(body).digest("base64url")}`;
}

/** A service that may live several times on the same data, behind one address that stays. */
export class Service {
  #directory;
  #settings;
  #process = null;
  #exited;
  #output = [];
  network = new Network();

  constructor(settings = {}) {
    this.#settings = settings;
  }

  async start() {
    this.#directory ??= await mkdtemp(join(tmpdir(), "ws-service-"));
    const kept = Object.entries(process.env).filter(([name]) => !FOREIGN_SETTINGS.test(name));
    this.#process = spawn(PYTHON, ["-m", "service", "serve"], {
      env: {
        ...Object.fromEntries(kept),
        WS_PORT: "0",
        WS_DATA_DIR: join(this.#directory, "data"),
        WS_LOG_FORMAT: "ecs",
        WS_HANDSHAKES_PER_S_PER_IP: "0",
        JWT_SECRET: SECRET,
        ...this.#settings,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#exited = new Promise((resolve) => this.#process.once("close", resolve));
    this.#process.stderr.on("data", (data) => this.#output.push(String(data)));
    const port = await this.#listening(this.#process);
    await this.network.leadTo(port);
    return this;
  }

  get url() {
    return `http://127.0.0.1:${this.network.port}/ws`;
  }

  /** Past the network, for who is not to be cut off with the others. */
  get directUrl() {
    return `http://127.0.0.1:${this.network.target}/ws`;
  }

  /** `kill -9`. */
  async kill() {
    this.#process.kill("SIGKILL");
    await this.#exited;
  }

  /** Asks it to stop, and waits until it has. */
  async terminate() {
    this.#process.kill("SIGTERM");
    await this.#exited;
  }

  async stop() {
    await this.terminate();
    this.network.close();
    await rm(this.#directory, { recursive: true });
  }

  /** Connects a client of a new user; `test` closes it at its end. */
  async connect(test, name, options = {}) {
    const id = freshId();
    const client = new Client({ url: this.url, token: () => makeToken(id, name), ...options });
    test.after(() => client.close());
    await client.connect();
    return client;
  }

  #listening(process) {
    return new Promise((resolve, reject) => {
      createInterface({ input: process.stdout }).on("line", (line) => {
        this.#output.push(line);
        const { message, url } = JSON.parse(line);
        if (message === "listening") resolve(Number(new URL(url.full).port));
      });
      this.#exited.then(() => reject(new Error(`it has ended:\n${this.#output.join("\n")}`)));
    });
  }
}

/** A TCP proxy: the connections through it can be cut, or hear nothing more of the service. */
export class Network {
  #server = null;
  target = 0;
  #connections = new Set();
  #isDeaf = false;
  #isDown = false;

  get port() {
    return this.#server.address().port;
  }

  /** Leads new connections to this port. */
  async leadTo(port) {
    this.target = port;
    if (this.#server) return;
    this.#server = createServer((client) => this.#connected(client));
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  /** Breaks every connection, in both directions. */
  cut() {
    for (const socket of this.#connections) socket.resetAndDestroy();
  }

  /** Cuts all connections, and accepts none until `up`. */
  down() {
    this.#isDown = true;
    this.cut();
  }

  up() {
    this.#isDown = false;
  }

  /** Drops what the service sends, until `hear`. */
  deafen() {
    this.#isDeaf = true;
  }

  hear() {
    this.#isDeaf = false;
  }

  close() {
    this.cut();
    this.#server.close();
  }

  #connected(client) {
    if (this.#isDown) {
      client.destroy();
      return;
    }
    const service = connect(this.target, "127.0.0.1");
    client.on("data", (data) => service.write(data));
    service.on("data", (data) => {
      if (!this.#isDeaf) client.write(data);
    });
    for (const [socket, other] of [
      [client, service],
      [service, client],
    ]) {
      this.#connections.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#connections.delete(socket);
        other.destroy();
      });
    }
  }
}
