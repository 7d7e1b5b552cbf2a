// The board of connect four: seven columns to drop discs into.

import { byId, element } from "../common/dom.js";

const COLUMNS = 7;
const ROWS = 6;

/** @typedef {{board: (number | null)[][], turn: number | null, winner: number | null,
 *   line: [number, number][], lastColumn: number | null}} State rows from the top down */

/** @type {State} */
const EMPTY = Object.freeze({
  board: Array.from({ length: ROWS }, () => Array(COLUMNS).fill(null)),
  turn: null,
  winner: null,
  line: [],
  lastColumn: null,
});

export class Board {
  #state = EMPTY;
  #youIndex = 0;
  #canDrop = false;
  /** @type {HTMLButtonElement[]} */ #columns = [];
  /** @type {string[]} */ #names = [];

  /** @param {(column: number) => void} drop */
  constructor(drop) {
    for (let column = 0; column < COLUMNS; column++) {
      const made = /** @type {HTMLButtonElement} */ (element("button", { data: { column } }));
      made.type = "button";
      made.append(...Array.from({ length: ROWS }, () => element("span", { className: "cell" })));
      made.addEventListener("click", () => drop(column));
      this.#columns.push(made);
    }
    byId("board").append(...this.#columns);
    this.#render();
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  reset() {
    this.show(EMPTY);
  }

  /** @param {State} state */
  show(state) {
    this.#state = state;
    this.#render();
  }

  /**
   * Sets the players, and whether this user may drop a disc now.
   * @param {{youIndex: number, names: string[], canDrop: boolean}} players
   */
  play({ youIndex, names, canDrop }) {
    this.#youIndex = youIndex;
    this.#names = names;
    this.#canDrop = canDrop;
    this.#render();
  }

  #render() {
    const { board, line, lastColumn } = this.#state;
    const isOnLine = (row, column) => line.some(([r, c]) => r === row && c === column);
    this.#columns.forEach((made, column) => {
      const seats = board.map((row) => row[column]);
      [...made.children].forEach((cell, row) => {
        const seat = seats[row];
        const isTop = seat !== null && (row === 0 || seats[row - 1] === null);
        cell.classList.toggle("you", seat === this.#youIndex);
        cell.classList.toggle("other", seat !== null && seat !== this.#youIndex);
        cell.classList.toggle("last", isTop && column === lastColumn);
        cell.classList.toggle("line", isOnLine(row, column));
      });
      made.disabled = !this.#canDrop || seats[0] !== null;
      const discs = seats.filter((seat) => seat !== null).reverse();
      const words = discs.map((seat) => this.#names[seat] ?? "a disc").join(", ");
      made.setAttribute("aria-label", `Column ${column + 1}: ${words || "empty"}`);
    });
  }
}
