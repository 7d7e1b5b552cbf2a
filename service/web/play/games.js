// The games of the service, as it lists them, and words for their options.

/** @typedef {{name: string, title: string, seats: {min: number, max: number}, options: any,
 *   bots?: number, page?: string | null}} GameInfo */

/** What is shown until the list is there, and where the service has none. @type {GameInfo[]} */
const KNOWN = [
  { name: "pong", title: "Pong", seats: { min: 2, max: 2 }, options: {} },
  { name: "connect_four", title: "Connect four", seats: { min: 2, max: 2 }, options: {} },
];

/** @type {Map<string, GameInfo>} */
let games = new Map(KNOWN.map((game) => [game.name, game]));

/** @returns {GameInfo[]} in the order of the service */
export function allGames() {
  return [...games.values()];
}

/**
 * A game by its name; also one that this service does not have (any more).
 * @param {string} name
 * @returns {GameInfo}
 */
export function gameOf(name) {
  const title = name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
  return games.get(name) ?? { name, title, seats: { min: 1, max: 2 }, options: {} };
}

/**
 * @param {any[]} listed the games of `GET /games`; relay is left out, whose rules are those of other
 *   pages
 */
export function setGames(listed) {
  const shown = listed.filter(({ name }) => name !== "relay");
  games = new Map(shown.map((game) => [game.name, game]));
}
