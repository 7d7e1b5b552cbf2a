// Even playback, and prediction of one's own inputs; the times are the test's.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Playback, Prediction } from "../../service/web/client/client.js";

const TICK_MS = 1000 / 60;
const DRAW_MS = 1000 / 60;

/** A number that looks random, and is the same in each run. */
function numbers(seed) {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/** Draws a ball that moves by 1 a tick, whose frames come every other tick, late by `lateMs()`. */
function speeds(lateMs, { durationMs = 4000, from = 1000 } = {}) {
  const shown = new Playback({ fields: ["x"] });
  const frames = [];
  for (let tick = 0; tick * TICK_MS < durationMs; tick += 2) {
    frames.push({ at: tick * TICK_MS + lateMs(), run: 0, tick, state: { x: tick } });
  }
  const found = [];
  let before = null;
  for (let now = 0; now < durationMs; now += DRAW_MS) {
    while (frames.length && frames[0].at <= now) shown.push(frames[0], frames.shift().at);
    const x = shown.at(now)?.x;
    if (now > from && before !== undefined) found.push((x - before) / (DRAW_MS / TICK_MS));
    before = x;
  }
  return found;
}

test("frames that come evenly are shown at the speed of the match", () => {
  for (const speed of speeds(() => 50)) assert.ok(Math.abs(speed - 1) < 0.02, `${speed}`);
});

test("frames that come unevenly are shown at nearly the speed of the match", () => {
  const random = numbers(7);
  let [last, at] = [0, 0];
  // In order, as on a connection.
  const late = () => {
    last = Math.max(last - 2 * TICK_MS, 50 + 25 * random());
    at += 1;
    return last;
  };
  const found = speeds(late, { from: 2000 });
  for (const speed of found) assert.ok(speed > 0.85 && speed < 1.15, `${speed}`);
  assert.ok(at > 0);
});

test("a playback is as late as its frames are at times, and not more", () => {
  const shown = new Playback({ fields: ["x"] });
  for (let tick = 0; tick <= 240; tick += 2) {
    shown.push({ run: 0, tick, state: { x: tick } }, tick * TICK_MS + 80);
    shown.at(tick * TICK_MS + 80);
  }
  const behind = 240 - shown.at(240 * TICK_MS + 80).x;
  assert.ok(behind > 1.9 && behind < 2.6, `${behind} ticks`);
});

test("nothing moves across a jump, which is shown when its tick is reached", () => {
  const isJump = (before, after) => before.s1 !== after.s1;
  const shown = new Playback({ fields: ["x"], isJump });
  const seen = new Set();
  for (let tick = 0; tick <= 20; tick += 2) {
    const state = tick < 10 ? { x: 90, s1: 0 } : { x: 50, s1: 1 };
    shown.push({ run: 0, tick, state }, tick * TICK_MS);
    seen.add(shown.at(tick * TICK_MS).x);
    seen.add(shown.at((tick + 1) * TICK_MS).x);
  }
  assert.deepEqual([...seen], [90, 50]);
});

for (const [name, next, at] of [
  ["a match that begins anew", { run: 0, tick: 0, state: { x: 7 } }, 300],
  ["a match that was continued after a crash", { run: 1, tick: 12, state: { x: 7 } }, 300],
  ["many missed ticks", { run: 0, tick: 60, state: { x: 7 } }, 300],
  ["a match that had paused", { run: 0, tick: 12, state: { x: 7 } }, 3000],
]) {
  test(`${name} is shown at once by a playback`, () => {
    const shown = new Playback({ fields: ["x"] });
    for (let tick = 0; tick <= 10; tick += 2) {
      shown.push({ run: 0, tick, state: { x: tick } }, tick * TICK_MS);
      shown.at(tick * TICK_MS);
    }
    shown.push(next, at);
    assert.equal(shown.at(at).x, 7);
    assert.equal(shown.isMoving(), false);
  });
}

test("a playback without frames shows nothing, also after a reset", () => {
  const shown = new Playback({ fields: ["x"] });
  assert.equal(shown.at(5), null);
  shown.push({ run: 0, tick: 0, state: { x: 1 } }, 10);
  assert.equal(shown.at(20).x, 1);
  shown.reset();
  assert.equal(shown.at(30), null);
});

/** A paddle as in Pong: it gains speed while a key is held, and coasts after that. */
function stepPaddle({ y, speed }, { up, down }) {
  if (up === down) speed = Math.abs(speed * 0.9) < 0.001 ? 0 : speed * 0.9;
  else speed = Math.max(-3, Math.min(3, speed + (up ? -0.8 : 0.8)));
  if (y + speed < 0) return { y: 0, speed: 0 };
  if (y + speed > 75) return { y: 75, speed: 0 };
  return { y: y + speed, speed };
}

const RELEASED = { up: false, down: false };
const START = { y: 37.5, speed: 0 };

/**
 * Plays with a service behind a slow link: it takes inputs with the first tick after they have come, and
 * its frames, every other tick, come back as late. Returns what was shown in each picture.
 */
function play(inputs, { delayMs = 100, jitterMs = 0, durationMs = 5000, disturb = () => {} } = {}) {
  const random = numbers(3);
  const own = new Prediction({
    start: START,
    input: RELEASED,
    step: stepPaddle,
    field: "y",
    leap: 20,
    drift: 0.15,
  });
  const service = { ...START, keys: RELEASED };
  const [up, down, shown] = [[], [], []];
  let [ticks, drawn, lastUp, lastDown] = [0, 0, 0, 0];
  const waiting = [...inputs];
  for (let now = 0; now < durationMs; now++) {
    while (waiting.length && waiting[0].at <= now) {
      const { keys } = waiting.shift();
      own.input(keys, now);
      lastUp = Math.max(lastUp, now + delayMs + jitterMs * random());
      up.push({ at: lastUp, keys });
    }
    while (up.length && up[0].at <= now) service.keys = up.shift().keys;
    if (now >= ticks * TICK_MS) {
      Object.assign(service, stepPaddle(service, service.keys));
      disturb(service, now);
      if (ticks++ % 2 === 0) {
        lastDown = Math.max(lastDown, now + delayMs + jitterMs * random());
        down.push({ at: lastDown, tick: ticks, y: service.y });
      }
    }
    while (down.length && down[0].at <= now) {
      const { tick, y } = down.shift();
      own.reconcile({ run: 0, tick }, y, now);
    }
    if (now >= drawn * DRAW_MS) {
      shown.push({ now, y: own.at(now).y });
      drawn++;
    }
  }
  return { own, service, shown };
}

const steps = (shown) => shown.slice(1).map(({ y }, index) => y - shown[index].y);

test("a predicted paddle moves with the next picture, whatever the delay", () => {
  for (const delayMs of [0, 50, 100, 300]) {
    const { shown } = play([{ at: 500, keys: { up: true, down: false } }], { delayMs });
    const first = shown.find(({ y }) => y !== 37.5);
    assert.ok(first.now - 500 <= 2 * DRAW_MS, `${first.now - 500} ms at ${delayMs} ms`);
  }
});

const TAPS = [
  { at: 500, keys: { up: true, down: false } },
  { at: 700, keys: RELEASED },
  { at: 1200, keys: { up: false, down: true } },
  { at: 1440, keys: RELEASED },
  { at: 2100, keys: { up: true, down: false } },
  { at: 2190, keys: { up: false, down: true } },
  { at: 2350, keys: RELEASED },
];

for (const jitterMs of [0, 20]) {
  test(`a predicted paddle agrees with the service in the end, with ${jitterMs} ms of jitter`, () => {
    const { shown, service } = play(TAPS, { jitterMs });
    assert.ok(Math.abs(shown.at(-1).y - service.y) < 0.01, `${shown.at(-1).y} ${service.y}`);
  });

  test(`a predicted paddle does not go back while it moves, with ${jitterMs} ms of jitter`, () => {
    const keys = { up: false, down: true };
    const { shown } = play(
      [
        { at: 500, keys },
        { at: 580, keys: RELEASED },
      ],
      { jitterMs },
    );
    const back = Math.min(...steps(shown));
    // When it has come to rest it may glide back a little, in pictures of less than a pixel.
    assert.ok(back >= -0.16, `${back}`);
    const moving = shown.filter(({ now }) => now > 500 && now < 900);
    assert.ok(Math.min(...steps(moving)) >= 0);
  });
}

test("a lag that is not known yet does not make a moving paddle leap", () => {
  const { shown, service } = play(
    [
      { at: 500, keys: { up: true, down: false } },
      { at: 620, keys: RELEASED },
      { at: 1900, keys: { up: false, down: true } },
      { at: 2020, keys: RELEASED },
    ],
    { delayMs: 400, durationMs: 7000 },
  );
  // As fast as a paddle is, in a picture of up to 18 ms.
  assert.ok(Math.max(...steps(shown).map(Math.abs)) < 3.5);
  assert.ok(Math.max(...steps(shown.filter(({ now }) => now < 1000))) < 0.16);
  assert.ok(Math.abs(shown.at(-1).y - service.y) < 0.01);
});

test("the lag of the service is measured", () => {
  const inputs = [];
  for (let at = 500; at < 4500; at += 400) {
    inputs.push({ at, keys: { up: at % 800 === 100, down: at % 800 !== 100 } });
    inputs.push({ at: at + 150, keys: RELEASED });
  }
  const { own } = play(inputs, { delayMs: 100 });
  assert.ok(own.lagMs > 170 && own.lagMs < 240, `${own.lagMs} ms`);
});

test("a paddle that stands a little off glides to where the service has it", () => {
  const disturb = (service, now) => (service.y = now > 2000 ? 40 : service.y);
  const { shown } = play([], { disturb });
  assert.ok(Math.abs(shown.at(-1).y - 40) < 0.01, `${shown.at(-1).y}`);
  assert.ok(Math.max(...steps(shown)) < 0.16);
});

test("a paddle that is far from where the service has it is taken there", () => {
  let done = false;
  const disturb = (service, now) => {
    if (now > 2000 && !done) [service.y, done] = [70, true];
  };
  const { shown } = play([], { disturb, delayMs: 20 });
  assert.ok(Math.abs(shown.at(-1).y - 70) < 0.01, `${shown.at(-1).y}`);
});
