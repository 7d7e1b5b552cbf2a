// The view of Pong.

import { svg } from "../common/dom.js";
import { registerGame } from "./register.js";

/** @type {import("./register.js").View} */
const view = {
  ratio: 1.5,
  layout: "score",
  keys: [[["W", "S", "↑", "↓"], "move your paddle"]],
  // Previews need none of it.
  mount: async (stage, context) => (await import("./pong_stage.js")).mount(stage, context),
  preview({ p1Y, p2Y, ballX, ballY }, { you }) {
    const [left, right] = you === 0 ? ["amber", "blue"] : ["blue", "amber"];
    const picture = svg(
      "svg",
      { viewBox: "0 0 300 200" },
      svg("path", {
        class: "rest",
        d: "M150 0V200",
        "stroke-width": 1.5,
        "stroke-dasharray": "6 6",
      }),
      svg("rect", { class: left, x: 0, y: 2 * p1Y, width: 9.9, height: 50 }),
      svg("rect", { class: right, x: 290.1, y: 2 * p2Y, width: 9.9, height: 50 }),
    );
    if (ballX !== undefined) {
      picture.append(
        svg("rect", { class: "white", x: 3 * ballX, y: 2 * ballY, width: 10, height: 10 }),
      );
    }
    return picture;
  },
};

registerGame("pong", view);
