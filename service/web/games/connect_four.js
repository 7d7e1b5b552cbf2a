// The view of connect four.

import { svg } from "../common/dom.js";
import { registerGame } from "./register.js";

/** @type {import("./register.js").View} */
const view = {
  ratio: 7 / 6,
  layout: "turns",
  keys: [
    [["1", "7"], "drop a disc"],
    [["←", "→", "Enter"], "aim and drop"],
  ],
  notation: ({ kind, column }) => (kind === "dropped" ? "abcdefg"[column] : "time"),
  said: ({ kind, column }, name) =>
    kind === "dropped" ? `${name} dropped in column ${column + 1}.` : `${name} ran out of time.`,
  async mount(stage, context) {
    // Previews do without it.
    const { Board } = await import("./board.js");
    const board = new Board(stage, (column) => void context.move({ column }));
    let phase = "waiting";
    const render = () =>
      board.play({
        youIndex: context.you,
        names: context.players.map(({ name }) => name),
        canDrop: phase === "playing" && context.seat !== null && board.state.turn === context.seat,
      });
    /** @param {KeyboardEvent} event */
    const press = (event) => {
      if (context.seat === null || isTyping(event.target)) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (/^[1-7]$/.test(event.key)) board.drop(Number(event.key) - 1);
      else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
        board.aim(event.key === "ArrowLeft" ? -1 : 1);
        event.preventDefault();
      }
    };
    addEventListener("keydown", press);
    return {
      update({ state }) {
        board.show(state);
        render();
      },
      moved: ({ input }) => input.kind === "dropped" && context.sound("drop"),
      phase(next) {
        phase = next;
        render();
      },
      reset: () => board.reset(),
      unmount: () => removeEventListener("keydown", press),
    };
  },
  preview({ board, line }, { you }) {
    const picture = svg("svg", { viewBox: "0 0 350 300" });
    picture.append(svg("rect", { class: "plate", width: 350, height: 300 }));
    board.forEach((/** @type {(number | null)[]} */ row, /** @type {number} */ y) =>
      row.forEach((seat, x) => {
        const [cx, cy] = [25 + 50 * x, 25 + 50 * y];
        const colour = seat === null ? "hole" : seat === you ? "amber" : "blue";
        picture.append(svg("circle", { class: colour, cx, cy, r: 20 }));
        if (seat !== null && seat !== you) {
          picture.append(
            svg("rect", { class: "mark", x: cx - 5, y: cy - 5, width: 10, height: 10, rx: 2 }),
          );
        }
      }),
    );
    for (const [row, column] of line ?? []) {
      picture.append(
        svg("circle", { class: "won", cx: 25 + 50 * column, cy: 25 + 50 * row, r: 22 }),
      );
    }
    return picture;
  },
};

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

registerGame("connect_four", view);
