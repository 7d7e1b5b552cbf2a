// Live matches as previews of what is on, each a link to watch it.

import { clone, element, glyph, keyed, part, setText } from "../common/dom.js";
import { minutesLeft } from "./times.js";
import { roomUrl } from "./rooms.js";

/** @typedef {{roomId: string, game: string, state?: any, scores?: number[] | null,
 *   remainingMs?: number | null, moves?: number | null}} Preview */

export class LiveList {
  #app;
  /** @type {Map<string, Preview>} */ #previews = new Map();
  /** Views of games, once loaded. @type {Map<string, any>} */ #views = new Map();

  /**
   * @param {HTMLElement} list
   * @param {import("./main.js").App} app
   */
  constructor(list, app) {
    this.list = list;
    this.#app = app;
  }

  /** @param {Preview[]} previews the newest of all matches that have one */
  preview(previews) {
    this.#previews = new Map(previews.map((preview) => [preview.roomId, preview]));
    for (const item of /** @type {HTMLElement[]} */ ([...this.list.children])) {
      this.#draw(item, item.dataset.key ?? "");
    }
  }

  /** @param {import("./rooms.js").Summary[]} rooms */
  show(rooms) {
    keyed(
      this.list,
      rooms,
      ({ roomId }) => roomId,
      (room) => this.#item(room),
      (item, room) => {
        this.#update(item, room);
      },
    );
  }

  #item({ roomId, game }) {
    const item = clone("t-preview");
    part(item, "link").setAttribute("href", roomUrl(roomId));
    part(item, "stage").append(glyph(game));
    return item;
  }

  #update(item, { roomId, game, players, spectators }) {
    part(item, "stage").dataset.game = game;
    setText(part(item, "watching"), String(spectators));
    const pair = part(item, "pair");
    keyed(
      pair,
      players.slice(0, 4).map((player, seat) => ({ ...player, seat })),
      ({ seat }) => String(seat),
      ({ seat }) => {
        const side = seat === 0 ? "you" : "other";
        const score = element("span", { className: `num ${side}`, data: { part: `score${seat}` } });
        return element(
          "span",
          { className: `one ${side}` },
          element("span", { className: "cut" }),
          score,
        );
      },
      (row, { name }) => setText(/** @type {Element} */ (row.firstElementChild), name),
    );
    this.#draw(item, roomId);
  }

  /** Draws the newest state that is known; without one the stage shows the sign of the game. */
  async #draw(item, roomId) {
    const preview = this.#previews.get(roomId);
    if (!preview) return;
    const { game, state, scores } = preview;
    const words =
      preview.remainingMs == null
        ? this.#app.gameOf(game).title
        : `${minutesLeft(preview.remainingMs)} left`;
    setText(part(item, "what"), preview.moves == null ? words : `Move ${preview.moves}`);
    scores?.forEach((score, seat) => {
      const shown = item.querySelector(`[data-part="score${seat}"]`);
      if (shown) setText(shown, String(score));
    });
    if (state == null) return;
    const view = this.#views.get(game) ?? (await this.#load(game));
    const picture = view?.preview?.(state, { you: 0 });
    if (picture) part(item, "stage").replaceChildren(picture);
  }

  async #load(game) {
    const { viewOf } = await import("../games/register.js");
    const view = await viewOf(game, this.#app.gameOf(game).page);
    this.#views.set(game, view);
    return view;
  }
}
