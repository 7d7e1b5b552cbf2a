// Drives clients for a test in another process: a line of JSON for each order, and for each event.

import { createInterface } from "node:readline";

import { Client } from "../../service/web/client/client.js";

const clients = new Map();
/** How far the clocks run from those of the machine, as in a sleep or when they are set. */
let [wallMs, steadyMs] = [0, 0];
/** Factor by which every wait is shortened, so that tests need not wait for timeouts. */
let haste = 1;

const clock = { wall: Date.now, steady: performance.now.bind(performance), wait: setTimeout };
Date.now = () => clock.wall() + wallMs;
performance.now = () => clock.steady() + steadyMs;
globalThis.setTimeout = (callback, ms, ...more) => clock.wait(callback, ms / haste, ...more);
// A test that cuts a connection has no time for the waits by which a crowd is spread.
Math.random = () => 0;
console.warn = () => {};

function tell(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** What brings tokens: each behaviour of the list once, the last one for ever. */
function tokens(behaviours) {
  const left = [...behaviours];
  return () => {
    const next = left.length > 1 ? left.shift() : left[0];
    if (next === "throw") throw new Error("the auth service is away");
    return next === "hang" ? new Promise(() => {}) : next;
  };
}

const orders = {
  open({ key, url, behaviours, frameHz }) {
    const client = new Client({ url, token: tokens(behaviours), frameHz: frameHz ?? undefined });
    clients.set(key, client);
    client.on("status", (status) => tell({ key, status }));
    client.on("message", (message) => tell({ key, message }));
    client.connect();
  },
  request({ key, tag, command, timeoutMs }) {
    clients
      .get(key)
      .request(command, { timeoutMs })
      .then(
        (answer) => tell({ tag, answer }),
        (error) => tell({ tag, error: error.name, code: error.code }),
      );
  },
  frameHz({ key, tag }) {
    tell({ tag, answer: clients.get(key).frameHz });
  },
  clocks({ wall, steady }) {
    [wallMs, steadyMs] = [wallMs + wall, steadyMs + steady];
  },
  haste(order) {
    haste = order.factor;
  },
  close({ key }) {
    clients.get(key).close();
    clients.delete(key);
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const order = JSON.parse(line);
    orders[order.order](order);
  })
  .on("close", () => process.exit());
