// The rooms that the service lists, for all places that show some of them.

const ROOMS_MAX = 100;

/** @typedef {{roomId: string, game: string, phase: string, visibility: string, locked: boolean,
 *   host: number | string | null, metadata: Record<string, any>, options?: Record<string, any>,
 *   players: {id: number | string, name: string}[], seats: number, spectators: number,
 *   spectatorsMax: number}} Summary */

export class Rooms {
  /** @type {Map<string, Summary>} */ #rooms = new Map();
  #changed;

  /**
   * Follows the list until the place is left.
   * @param {import("./main.js").App} app
   * @param {() => void} changed
   */
  constructor(app, changed) {
    this.#changed = changed;
    app.on("room:list", ({ rooms }) => this.#replace(rooms));
    app.on("room:added", ({ room }) => this.#put(room));
    app.on("room:updated", ({ room }) => this.#put(room));
    app.on("room:removed", ({ roomId }) => {
      if (this.#rooms.delete(roomId)) changed();
    });
    app.whenOnline(() => {
      app.send({ type: "room:subscribe" });
      app.act({ type: "room:list", limit: ROOMS_MAX });
    });
    app.atEnd(
      () => app.client?.status.state === "online" && app.send({ type: "room:unsubscribe" }),
    );
  }

  /** @returns {Summary[]} rooms with a free seat */
  get open() {
    return [...this.#rooms.values()].filter(
      ({ phase, locked, players, seats }) =>
        phase !== "playing" && !locked && players.length > 0 && players.length < seats,
    );
  }

  /** @returns {Summary[]} rooms with a live match that anyone may watch */
  get live() {
    return [...this.#rooms.values()].filter(
      ({ phase, visibility, locked, spectators, spectatorsMax }) =>
        phase === "playing" && visibility === "public" && !locked && spectators < spectatorsMax,
    );
  }

  /**
   * The live match that a user plays, if others may watch it.
   * @param {number | string} userId
   */
  playedBy(userId) {
    return this.live.find(({ players }) => players.some(({ id }) => id === userId));
  }

  #replace(rooms) {
    this.#rooms = new Map(rooms.map((room) => [room.roomId, room]));
    this.#changed();
  }

  #put(room) {
    this.#rooms.set(room.roomId, room);
    this.#changed();
  }
}

/**
 * @param {string} roomId
 * @returns {string} its URL
 */
export const roomUrl = (roomId) => `/room/${encodeURIComponent(roomId)}`;
