// Where a replay stands and can go: pure, without DOM.

/**
 * @typedef {object} Mark what happened in a match, as the summary of the service tells it
 * @property {"started" | "point" | "move" | "paused" | "resumed" | "rewound" | "suspended" | "ended"} kind
 * @property {number} tick
 * @property {number} atS
 * @property {number} [seat]
 * @property {number[]} [scores]
 * @property {number} [lastedS]
 * @property {any} [input]
 *
 * @typedef {object} Summary
 * @property {string} matchId
 * @property {string} game
 * @property {number} tickHz 0 for a game of turns
 * @property {number} ticks
 * @property {number} durationS
 * @property {{tick: number, atS: number, scores: number[]}[]} scores
 * @property {Mark[]} timeline
 * @property {{name: string, title: string, value: number | null, unit: string, seat: number | null}[]} figures
 */

/** How fast a game of turns is played back at speed 1, in moves a second. */
export const MOVES_PER_S = 1;

/** How fast the clock of a replay runs, in ticks a second. @param {Summary} summary */
export function ticksPerS({ tickHz }) {
  return tickHz || MOVES_PER_S;
}

/**
 * The tick within the match.
 * @param {Summary} summary
 * @param {number} tick
 */
export function within({ ticks }, tick) {
  return Math.max(0, Math.min(ticks, tick));
}

/**
 * The marks that a player jumps to: points, or the moves of a game of turns.
 * @param {Summary} summary
 */
export function stops({ tickHz, timeline }) {
  return timeline.filter(({ kind }) => kind === (tickHz ? "point" : "move"));
}

/**
 * The tick of the next or the previous stop; the start and the end are stops, too.
 * @param {Summary} summary
 * @param {number} tick
 * @param {1 | -1} direction
 */
export function nextStop(summary, tick, direction) {
  const ticks = [0, ...stops(summary).map((stop) => stop.tick), summary.ticks];
  const found =
    direction > 0 ? ticks.find((one) => one > tick) : ticks.findLast((one) => one < tick);
  return found ?? within(summary, direction > 0 ? summary.ticks : 0);
}

/**
 * The scores at a tick.
 * @param {Summary} summary
 * @param {number} tick
 * @returns {number[]}
 */
export function scoresAt({ scores }, tick) {
  return scores.findLast((one) => one.tick <= tick)?.scores ?? [];
}

/**
 * The last mark up to a tick.
 * @param {Summary} summary
 * @param {number} tick
 * @returns {Mark | undefined}
 */
export function markAt({ timeline }, tick) {
  return timeline.findLast((one) => one.tick <= tick);
}

/**
 * A time as people read it, `1:05.3` or `1:02:05.3`; a game of turns counts moves. Rounded down, as
 * every time that has passed (the terminal does the same): a moment that is shown has been reached.
 * @param {{tickHz: number}} summary
 * @param {number} tick
 */
export function clockText({ tickHz }, tick) {
  return tickHz ? timeText(tick / tickHz) : `${Math.round(tick)}`;
}

/** @param {number} passedS */
function timeText(passedS) {
  const tenths = Math.floor(passedS * 10 + 1e-6);
  const [hours, minutes, seconds] = [36_000, 600, 10].map((one) => Math.floor(tenths / one));
  const two = (/** @type {number} */ value) => String(value % 60).padStart(2, "0");
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds)}.${tenths % 10}`;
}

/**
 * A span of time, `12.5 s` or `1:05.3`.
 * @param {number} passedS
 */
export function spanText(passedS) {
  return passedS < 60 ? `${timeText(passedS).replace(/^0:0?/, "")} s` : timeText(passedS);
}

/**
 * The fragment of a URL that shares a moment: `t=12.3` in seconds, `move=7` in a game of turns.
 * @param {Summary} summary
 * @param {number} tick
 */
export function fragmentOf(summary, tick) {
  if (!summary.tickHz) return `move=${Math.round(tick)}`;
  return `t=${Number((tick / summary.tickHz).toFixed(2))}`;
}

/**
 * The tick that such a fragment names, or null.
 * @param {Summary} summary
 * @param {string} fragment
 */
export function tickIn(summary, fragment) {
  const params = new URLSearchParams(fragment.replace(/^#/, ""));
  const text = params.get(summary.tickHz ? "t" : "move");
  const number = Number(text);
  if (text === null || text === "" || !Number.isFinite(number) || number < 0) return null;
  return within(summary, Math.round(number * (summary.tickHz || 1)));
}

/**
 * A mark in words, and the seat that it is about.
 * @param {Mark} mark
 * @param {string[]} names by seat
 * @param {(input: any, name: string) => string} [said] what the view says of a move
 */
export function said(mark, names, said) {
  const name = mark.seat === undefined || mark.seat === null ? "" : (names[mark.seat] ?? "");
  switch (mark.kind) {
    case "started":
      return "Start";
    case "point":
      return name ? `${name} scores` : "Points for both";
    case "move":
      return said ? said(mark.input, name) : `${name} moves`;
    case "paused":
      return mark.lastedS === undefined ? "Paused" : `Paused for ${spanText(mark.lastedS)}`;
    case "resumed":
      return "Goes on";
    case "rewound":
      return "Went back after an interruption";
    case "suspended":
      return "The service was restarted";
    case "ended":
      return name ? `${name} wins` : "The end, nobody wins";
  }
}
