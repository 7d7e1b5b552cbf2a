// How a match ended, in words, and the score of a series of matches in one room.

/** @typedef {{id: number | string, name: string}} User */
/** @typedef {{reason: string, winner: number | null, scores: number[], message?: string}} Result */

/**
 * @param {Result} result
 * @param {User[]} players
 * @param {number | null} seat of this user; null if they watched
 */
export function resultWords({ reason, winner, scores }, players, seat) {
  if (reason === "abandoned") return "No winner";
  if (reason === "void") return "Void";
  const count = reason === "timeup" ? `, ${countWords(scores, seat)}` : "";
  if (winner === null) return `A draw${count}`;
  if (seat === null) return `${players[winner]?.name} won${count}`;
  return `You ${winner === seat ? "won" : "lost"}${count}`;
}

/** The own points first. @param {number[]} scores @param {number | null} seat */
function countWords(scores, seat) {
  return (seat === 1 ? [...scores].reverse() : scores).join(" to ");
}

/**
 * Why it ended, where that is not clear.
 * @param {Result} result
 * @param {User[]} players
 * @param {number | null} seat
 */
export function reasonWords({ reason, winner, message }, players, seat) {
  if (reason === "void") return message ?? "";
  if (winner === null || players.length !== 2) return "";
  const loser = 1 - winner;
  const isMine = loser === seat;
  const name = players[loser]?.name ?? "The other player";
  switch (reason) {
    case "left":
      return isMine ? "You gave up." : `${name} gave up.`;
    case "turn_timeout":
      return isMine ? "You ran out of time." : `${name} ran out of time.`;
    case "forfeit":
      return isMine ? "You did not come back in time." : `${name} did not come back in time.`;
    default:
      return "";
  }
}

/** The results of the matches in a room, by user, so that a change of seats does not matter. */
export class Series {
  /** @type {Map<string, {winner: number | string | null, users: (number | string)[]}>} */
  #matches = new Map();

  /**
   * @param {string} matchId
   * @param {User[]} players
   * @param {number | null} winner a seat
   */
  add(matchId, players, winner) {
    const users = players.map(({ id }) => id);
    this.#matches.set(matchId, { winner: winner === null ? null : users[winner], users });
  }

  /**
   * The score of these players, in their order; empty after a single match.
   * @param {User[]} players
   */
  words(players) {
    const ids = players.map(({ id }) => id);
    const ours = [...this.#matches.values()].filter(
      ({ users }) => users.length === ids.length && users.every((id) => ids.includes(id)),
    );
    if (ours.length < 2) return "";
    const wins = ids.map((id) => ours.filter(({ winner }) => winner === id).length);
    const draws = ours.filter(({ winner }) => winner === null).length;
    const words = `Series ${wins.join(" : ")}`;
    return draws ? `${words}, ${draws} drawn` : words;
  }
}
