// Motion between frames; the times are the test's.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Interpolation, interpolate } from "../../service/web/client/client.js";

/** Of two ticks, as at 30 frames a second. */
const INTERVAL_MS = 2000 / 60;

const FIELDS = ["ballX", "p1Y"];

function motion(options = {}) {
  const isJump = (before, after) => before.s1 !== after.s1;
  return new Interpolation({ fields: FIELDS, isJump, ...options });
}

function frame(tick, ballX, more = {}, run = 0) {
  return { run, tick, state: { ballX, p1Y: 40, s1: 0, ...more } };
}

function near(actual, expected) {
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);
}

test("only the named numbers of a state are between two states", () => {
  const before = { ballX: 10, p1Y: 20, s1: 0, name: "a" };
  const after = { ballX: 20, p1Y: 10, s1: 4, name: "b" };
  assert.deepEqual(interpolate(before, after, 0.25, FIELDS), {
    ballX: 12.5,
    p1Y: 17.5,
    s1: 4,
    name: "b",
  });
  assert.deepEqual(before, { ballX: 10, p1Y: 20, s1: 0, name: "a" });
});

test("a field that one of the states lacks is that of the second one", () => {
  assert.deepEqual(interpolate({ p1Y: 1 }, { ballX: 5, p1Y: 3 }, 0.5, FIELDS), {
    ballX: 5,
    p1Y: 2,
  });
  assert.deepEqual(interpolate({ ballX: 5, p1Y: 1 }, { p1Y: 3 }, 0.5, FIELDS), { p1Y: 2 });
  assert.deepEqual(interpolate({ ballX: null }, { ballX: 5 }, 0.5, FIELDS), { ballX: 5 });
});

test("nothing is shown before the first frame, which is shown at once", () => {
  const shown = motion();
  assert.equal(shown.at(0), null);
  assert.equal(shown.isMoving(0), false);
  shown.push(frame(2, 10), 0);
  assert.equal(shown.at(0).ballX, 10);
  assert.equal(shown.isMoving(0), false);
});

test("motion is one frame interval behind, and evenly from frame to frame", () => {
  const shown = motion();
  shown.push(frame(2, 10), 0);
  shown.push(frame(4, 16), INTERVAL_MS);
  near(shown.at(INTERVAL_MS).ballX, 10);
  near(shown.at(1.5 * INTERVAL_MS).ballX, 13);
  assert.equal(shown.isMoving(1.5 * INTERVAL_MS), true);
  near(shown.at(2 * INTERVAL_MS).ballX, 16);
  assert.equal(shown.isMoving(2 * INTERVAL_MS), false);
  shown.push(frame(6, 22), 2 * INTERVAL_MS);
  near(shown.at(2.5 * INTERVAL_MS).ballX, 19);
});

test("the interval follows from the ticks, not from when a frame arrived", () => {
  const shown = motion();
  shown.push(frame(2, 10), 0);
  // The frame of an event is a tick later, and came late.
  shown.push(frame(3, 13), 200);
  near(shown.at(200 + INTERVAL_MS / 4).ballX, 11.5);
  near(shown.at(200 + INTERVAL_MS / 2).ballX, 13);
});

test("a frame that comes early continues from what is shown, without a leap", () => {
  const shown = motion();
  shown.push(frame(2, 10), 0);
  shown.push(frame(4, 16), INTERVAL_MS);
  shown.push(frame(6, 22), 1.5 * INTERVAL_MS);
  near(shown.at(1.5 * INTERVAL_MS).ballX, 13);
  near(shown.at(2 * INTERVAL_MS).ballX, 17.5);
  near(shown.at(2.5 * INTERVAL_MS).ballX, 22);
});

test("when frames stay away the newest state stands", () => {
  const shown = motion();
  shown.push(frame(2, 10), 0);
  shown.push(frame(4, 16), INTERVAL_MS);
  assert.equal(shown.at(10_000).ballX, 16);
});

test("a reset after a point is shown at once", () => {
  const shown = motion();
  shown.push(frame(2, 98), 0);
  shown.push(frame(4, 50, { s1: 1 }), INTERVAL_MS);
  assert.equal(shown.at(INTERVAL_MS).ballX, 50);
  assert.equal(shown.isMoving(INTERVAL_MS), false);
  shown.push(frame(6, 53, { s1: 1 }), 2 * INTERVAL_MS);
  near(shown.at(2.5 * INTERVAL_MS).ballX, 51.5);
});

test("a score is that of the newest state, also while the ball moves", () => {
  const shown = motion({ isJump: () => false });
  shown.push(frame(2, 10), 0);
  shown.push(frame(4, 16, { s1: 3 }), INTERVAL_MS);
  assert.equal(shown.at(1.25 * INTERVAL_MS).s1, 3);
});

for (const [name, next] of [
  ["a match that begins anew", frame(0, 50)],
  ["a match that was continued after a crash", frame(102, 50, {}, 1)],
  ["many missed ticks", frame(113, 50)],
]) {
  test(`${name} is shown at once`, () => {
    const shown = motion();
    shown.push(frame(98, 8), 0);
    shown.push(frame(100, 10), INTERVAL_MS);
    shown.push(next, 1.5 * INTERVAL_MS);
    assert.equal(shown.at(1.5 * INTERVAL_MS).ballX, 50);
    assert.equal(shown.isMoving(1.5 * INTERVAL_MS), false);
  });
}

test("the same frame once more changes no motion", () => {
  const shown = motion();
  shown.push(frame(2, 10), 0);
  shown.push(frame(4, 16), INTERVAL_MS);
  shown.push(frame(4, 16), 1.5 * INTERVAL_MS);
  near(shown.at(1.75 * INTERVAL_MS).ballX, 14.5);
});

test("after a reset nothing of the former match is shown", () => {
  const shown = motion();
  shown.push(frame(2, 10), 0);
  shown.push(frame(4, 16), INTERVAL_MS);
  shown.reset();
  assert.equal(shown.at(INTERVAL_MS), null);
  assert.equal(shown.isMoving(INTERVAL_MS), false);
  shown.push(frame(6, 50), INTERVAL_MS);
  assert.equal(shown.at(INTERVAL_MS).ballX, 50);
});

test("a game with another tick rate has other intervals", () => {
  const shown = motion({ tickHz: 20 });
  shown.push(frame(2, 10), 0);
  shown.push(frame(3, 20), 50);
  near(shown.at(75).ballX, 15);
});
