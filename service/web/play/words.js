// Numbers, times and options in players' words.

import { minutes } from "./times.js";

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
