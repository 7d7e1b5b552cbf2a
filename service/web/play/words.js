// Numbers, times and options in players' words.

/**
 * A time that has passed as m:ss or h:mm:ss, rounded down.
 * @param {number} ms
 */
export function minutes(ms) {
  const s = Math.max(0, Math.floor(ms / 1000 + 1e-6));
  const two = (/** @type {number} */ value) => String(value % 60).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  const m = Math.floor(s / 60);
  return `${hours ? `${hours}:${two(m)}` : m}:${two(s)}`;
}

/**
 * A time that is left as m:ss, rounded up: the last second is not shown as over.
 * @param {number} ms
 */
export function minutesLeft(ms) {
  return minutes(1000 * Math.ceil(ms / 1000));
}

/** @param {number} s */
export function seconds(s) {
  if (s < 120) return `${s} s`;
  return s % 60 ? `${minutes(s * 1000)} min` : `${s / 60} min`;
}

/**
 * A count with its noun: "1 match", "3 matches".
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en").replaceAll(",", "\u2009")} ${count === 1 ? one : many}`;
}

/** What players choose a room by. @type {Record<string, (value: any) => string>} */
const OPTIONS = {
  duration_s: (value) => seconds(value),
  turn_s: (value) => (value ? `${seconds(value)} a turn` : ""),
  clock_s: (value) => (value ? `${seconds(value)} each` : ""),
  increment_s: (value) => (value ? `+${value} s a move` : ""),
  spectator_delay_s: (value) => (value ? "delayed for watchers" : ""),
};

/**
 * The options of a room that players choose it by: those of its game, and the delay of watchers.
 * @param {{options: any}} game
 * @param {Record<string, any>} [options]
 * @returns {string[]}
 */
export function optionWords(game, options = {}) {
  const known = { spectator_delay_s: true, ...game.options?.properties };
  return Object.entries(OPTIONS)
    .map(([name, words]) => (options[name] == null || !known[name] ? "" : words(options[name])))
    .filter(Boolean);
}
