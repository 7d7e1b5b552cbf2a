// The list of moves beside the board.

import { byId, element, setText } from "../common/dom.js";

const SHOWN_MAX = 400;

export class Moves {
  #view;
  /** The ticks that are listed, since a page of past moves may repeat some. @type {Set<number>} */
  #ticks = new Set();
  #lastAt = 0;

  /** @param {import("../games/register.js").View} view */
  constructor(view) {
    this.#view = view;
  }

  /** How many are known. */
  get count() {
    return this.#ticks.size;
  }

  reset() {
    this.#ticks.clear();
    this.#lastAt = performance.now();
    byId("moves").replaceChildren();
    byId("moves-panel").hidden = true;
  }

  /**
   * @param {{seat: number, tick: number, input: any, isPast?: boolean}} moved
   * @param {"you" | "other"} side
   */
  add({ tick, input, isPast = false }, side) {
    if (!this.#view.notation || this.#ticks.has(tick)) return;
    this.#ticks.add(tick);
    const now = performance.now();
    const list = byId("moves");
    const words = this.#view.notation(input);
    list.classList.toggle("long", list.classList.contains("long") || words.length > 6);
    const move = element("li", { className: side, text: words });
    if (!isPast && this.#lastAt) {
      const seconds = Math.max(1, Math.round((now - this.#lastAt) / 1000));
      move.append(element("span", { className: "muted", text: ` ${seconds} s` }));
    }
    this.#lastAt = now;
    move.dataset.tick = String(tick);
    const later = [...list.children].find(
      (one) => Number(/** @type {HTMLElement} */ (one).dataset.tick) > tick,
    );
    list.insertBefore(move, later ?? null);
    list.querySelector(".is-now")?.classList.remove("is-now");
    list.lastElementChild?.classList.add("is-now");
    while (list.children.length > SHOWN_MAX) list.firstElementChild?.remove();
    list.scrollTop = list.scrollHeight;
    setText(byId("moves-count"), String(this.#ticks.size));
    byId("moves-panel").hidden = false;
  }
}
