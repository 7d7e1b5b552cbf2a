// Where a replay stands and can go, and how its frames are read.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { minutes, minutesLeft } from "../../service/web/play/times.js";
import { Frames, parsedFrames } from "../../service/web/replay/frames.js";
import {
  clockText,
  fragmentOf,
  markAt,
  nextStop,
  said,
  scoresAt,
  spanText,
  tickIn,
  within,
} from "../../service/web/replay/timeline.js";

/** Times as the terminal and the page have to show them; Python's tests read the same file. */
const TIMES = JSON.parse(readFileSync(new URL("../times.json", import.meta.url), "utf8"));

const PONG = {
  matchId: "r-1",
  game: "pong",
  tickHz: 60,
  ticks: 1800,
  durationS: 30,
  figures: [],
  scores: [
    { tick: 0, atS: 0, scores: [0, 0] },
    { tick: 186, atS: 3.1, scores: [1, 0] },
    { tick: 900, atS: 15, scores: [1, 1] },
  ],
  timeline: [
    { kind: "started", tick: 0, atS: 0 },
    { kind: "point", tick: 186, atS: 3.1, seat: 0, scores: [1, 0] },
    { kind: "paused", tick: 300, atS: 5, lastedS: 1.5 },
    { kind: "point", tick: 900, atS: 15, seat: 1, scores: [1, 1] },
    { kind: "ended", tick: 1800, atS: 30, scores: [1, 1] },
  ],
};
const TURNS = {
  ...PONG,
  tickHz: 0,
  ticks: 2,
  timeline: [
    { kind: "move", tick: 1, atS: 2, seat: 0, input: { column: 3 } },
    { kind: "move", tick: 2, atS: 9, seat: 1, input: { column: 4 } },
  ],
};

test("a jump goes from point to point, and to both ends", () => {
  const ticks = [];
  for (let tick = 0; tick < 1800;) ticks.push((tick = nextStop(PONG, tick, 1)));
  assert.deepEqual(ticks, [186, 900, 1800]);
  assert.equal(nextStop(PONG, 1800, 1), 1800);
  assert.equal(nextStop(PONG, 900, -1), 186);
  assert.equal(nextStop(PONG, 100, -1), 0);
  assert.equal(nextStop(PONG, 0, -1), 0);
});

test("a jump in a game of turns goes from move to move", () => {
  assert.equal(nextStop(TURNS, 0, 1), 1);
  assert.equal(nextStop(TURNS, 2, -1), 1);
});

test("a tick is kept within the match", () => {
  assert.deepEqual(
    [-5, 7, Infinity].map((tick) => within(PONG, tick)),
    [0, 7, 1800],
  );
});

test("scores and the last mark are those up to a tick", () => {
  assert.deepEqual(
    [0, 185, 186, 899, 1800].map((tick) => scoresAt(PONG, tick)),
    [
      [0, 0],
      [0, 0],
      [1, 0],
      [1, 0],
      [1, 1],
    ],
  );
  assert.equal(markAt(PONG, 299)?.kind, "point");
  assert.equal(markAt(PONG, 300)?.kind, "paused");
});

test("times are read as minutes, seconds and tenths, or as moves", () => {
  assert.deepEqual(
    [0, 6, 954, 3600].map((tick) => clockText(PONG, tick)),
    ["0:00.0", "0:00.1", "0:15.9", "1:00.0"],
  );
  assert.equal(clockText(TURNS, 2), "2");
});

test("times are rounded as the terminal rounds them", () => {
  for (const { seconds, page, terminal } of TIMES) {
    assert.equal(clockText({ tickHz: 1 }, seconds), page);
    assert.equal(spanText(seconds), terminal);
    assert.equal(minutes(1000 * seconds), page.replace(/\.\d$/, ""));
  }
});

test("a time that is left is rounded up, so that only what is over is shown as zero", () => {
  assert.deepEqual([59_999, 1001, 1000, 1, 0, -5].map(minutesLeft), [
    "1:00",
    "0:02",
    "0:01",
    "0:01",
    "0:00",
    "0:00",
  ]);
});

test("a shared moment is found again", () => {
  for (const tick of [0, 1, 59, 954, 1799, 1800]) {
    assert.equal(tickIn(PONG, `#${fragmentOf(PONG, tick)}`), tick);
  }
  assert.equal(tickIn(TURNS, fragmentOf(TURNS, 2)), 2);
});

test("a fragment that names no moment of the match is ignored", () => {
  for (const bad of ["", "#", "#t=", "#t=x", "#t=-1", "#move=3", "#t=NaN", "#t=Infinity"]) {
    assert.equal(tickIn(PONG, bad), null, bad);
  }
  assert.equal(tickIn(PONG, "#t=99999"), 1800);
});

test("marks are said in words", () => {
  const names = ["Ana", "Ben"];
  assert.deepEqual(
    PONG.timeline.map((mark) => said(mark, names)),
    ["Start", "Ana scores", "Paused for 1.5 s", "Ben scores", "The end, nobody wins"],
  );
  const words = (/** @type {any} */ { column }, /** @type {string} */ name) => `${name}: ${column}`;
  assert.equal(said(TURNS.timeline[0], names, words), "Ana: 3");
  assert.equal(said(TURNS.timeline[0], names), "Ana moves");
});

function reader() {
  /** @type {[number, number][]} */
  const asked = [];
  let isBroken = false;
  return {
    asked,
    breakIt: () => (isBroken = true),
    mend: () => (isBroken = false),
    async read(/** @type {number} */ from, /** @type {number} */ to) {
      asked.push([from, to]);
      if (isBroken) throw new Error("gone");
      return Array.from({ length: to - from + 1 }, (_, index) => ({
        tick: from + index,
        state: from + index,
      }));
    },
  };
}

test("frames are read in windows, and the next one ahead of time", async () => {
  const { asked, read } = reader();
  const frames = new Frames(1800, read);
  assert.equal(frames.at(10), undefined);
  await frames.load(10);
  assert.equal(frames.at(10)?.state, 10);
  await frames.load(600);
  assert.deepEqual(asked, [
    [0, 599],
    [600, 1199],
  ]);
  assert.equal(frames.at(599)?.state, 599);
  assert.equal(frames.at(600)?.state, 600);
});

test("a match with a window's length reads its last tick", async () => {
  const { asked, read } = reader();
  const frames = new Frames(600, read);
  await frames.load(600);
  assert.equal(frames.at(600)?.state, 600);
  assert.deepEqual(asked, [[600, 600]]);
});

test("a window that could not be read is read again", async () => {
  const { read, breakIt, mend } = reader();
  const frames = new Frames(100, read);
  breakIt();
  await assert.rejects(frames.load(0), /gone/);
  mend();
  await frames.load(0);
  assert.equal(frames.at(0)?.state, 0);
});

test("a live match goes on: its last window is read again", async () => {
  const { read } = reader();
  const frames = new Frames(100, read);
  await frames.load(0);
  frames.extend(200);
  await frames.load(150);
  assert.equal(frames.at(150)?.state, 150);
});

test("the oldest windows are forgotten", async () => {
  const { asked, read } = reader();
  const frames = new Frames(600 * 40, read);
  for (let index = 0; index < 40; index += 1) await frames.load(index * 600);
  await frames.load(0);
  assert.equal(asked.filter(([from]) => from === 0).length, 2);
});

test("an answer has a frame in each line", () => {
  assert.deepEqual(parsedFrames('{"tick":0,"state":{}}\n{"tick":1,"state":{"a":1}}\n'), [
    { tick: 0, state: {} },
    { tick: 1, state: { a: 1 } },
  ]);
});
