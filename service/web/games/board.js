// The board of connect four: seven columns to drop discs into.

import { element } from "../common/dom.js";

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
  #drop;
  /** @type {HTMLButtonElement[]} */ #columns = [];
  /** @type {string[]} */ #names = [];

  /**
   * @param {HTMLElement} stage
   * @param {(column: number) => void} drop
   */
  constructor(stage, drop) {
    this.#drop = drop;
    const board = element("div", { className: "board" });
    board.id = "board";
    board.setAttribute("role", "group");
    board.setAttribute("aria-label", "Connect four board");
    for (let column = 0; column < COLUMNS; column++) {
      const made = /** @type {HTMLButtonElement} */ (element("button", { data: { column } }));
      made.type = "button";
      made.append(...Array.from({ length: ROWS }, () => element("span", { className: "cell" })));
      made.addEventListener("click", () => this.drop(column));
      this.#columns.push(made);
    }
    board.append(...this.#columns);
    stage.prepend(board);
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

  /** Drops a disc, if that is possible. */
  drop(column) {
    if (this.#columns[column].getAttribute("aria-disabled") !== "true") this.#drop(column);
  }

  /** Moves the focus along the columns, to aim. */
  aim(by) {
    const at = this.#columns.indexOf(/** @type {any} */ (document.activeElement));
    const next = at < 0 ? (COLUMNS - 1) / 2 : (at + by + COLUMNS) % COLUMNS;
    this.#columns[next].focus();
  }

  #render() {
    const { board, line, lastColumn } = this.#state;
    const isOnLine = (row, column) => line.some(([r, c]) => r === row && c === column);
    this.#columns.forEach((made, column) => {
      const seats = board.map((row) => row[column]);
      const landing = seats.lastIndexOf(null);
      [...made.children].forEach((cell, row) => {
        const seat = seats[row];
        const isTop = seat !== null && (row === 0 || seats[row - 1] === null);
        cell.classList.toggle("you", seat === this.#youIndex);
        cell.classList.toggle("other", seat !== null && seat !== this.#youIndex);
        cell.classList.toggle("last", isTop && column === lastColumn);
        cell.classList.toggle("line", isOnLine(row, column));
        cell.classList.toggle("landing", this.#canDrop && row === landing);
      });
      // A disabled button would lose the focus with each turn of the other player.
      made.setAttribute("aria-disabled", String(!this.#canDrop || landing < 0));
      const discs = seats.filter((seat) => seat !== null).reverse();
      const words = discs.map((seat) => this.#names[seat] ?? "a disc").join(", ");
      made.setAttribute("aria-label", `Column ${column + 1}: ${words || "empty"}`);
    });
  }
}
