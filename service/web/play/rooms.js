// Matches of other players, to watch.

import { button, byId, element, setText } from "../common/dom.js";
import { GAMES } from "./games.js";

const ROWS_MAX = 20;

/** @typedef {{roomId: string, game: string, phase: string, visibility: string, locked: boolean,
 *   players: {id: number | string, name: string}[], spectators: number, spectatorsMax: number}} Summary */

export class LiveRooms {
  #watch;
  #meId = /** @type {number | string | null} */ (null);
  /** @type {Map<string, Summary>} */ #rooms = new Map();

  /** @param {(roomId: string) => void} watch */
  constructor(watch) {
    this.#watch = watch;
  }

  /**
   * @param {Summary[]} rooms all public rooms
   * @param {number | string} meId
   */
  replace(rooms, meId) {
    this.#meId = meId;
    this.#rooms = new Map(rooms.map((room) => [room.roomId, room]));
    this.#render();
  }

  /** @param {Summary} room */
  put(room) {
    this.#rooms.set(room.roomId, room);
    this.#render();
  }

  /** @param {string} roomId */
  remove(roomId) {
    if (this.#rooms.delete(roomId)) this.#render();
  }

  #canBeWatched(room) {
    return (
      room.phase === "playing" &&
      room.visibility === "public" &&
      !room.locked &&
      room.spectators < room.spectatorsMax &&
      room.game in GAMES &&
      room.players.every(({ id }) => id !== this.#meId)
    );
  }

  /** Rows that stay are kept as elements, so that the focus stays where it is. */
  #render() {
    const shown = [...this.#rooms.values()].filter((room) => this.#canBeWatched(room));
    const list = byId("live");
    const kept = new Map(
      [...list.children].map((row) => [/** @type {HTMLElement} */ (row).dataset.roomId, row]),
    );
    for (const room of shown.slice(0, ROWS_MAX)) {
      const row = /** @type {HTMLElement} */ (kept.get(room.roomId) ?? this.#row(room));
      kept.delete(room.roomId);
      const names = room.players.map(({ name }) => name).join(" and ");
      setText(row.querySelector(".name"), names);
      const watching = room.spectators ? `, ${room.spectators} watching` : "";
      setText(row.querySelector(".where"), `${GAMES[room.game]}${watching}`);
      row.querySelector("button").setAttribute("aria-label", `Watch ${names}`);
      if (!row.isConnected) list.append(row);
    }
    for (const row of kept.values()) row.remove();
    byId("live-section").hidden = shown.length === 0;
  }

  #row({ roomId }) {
    return element(
      "li",
      { data: { roomId } },
      element("span", { className: "name" }),
      element("span", { className: "where" }),
      button("Watch", () => this.#watch(roomId), { data: { watch: roomId } }),
    );
  }
}
