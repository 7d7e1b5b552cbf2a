// The stage of Pong: the field, the keys, and the pads of a phone.

import { element, icon } from "../common/dom.js";
import { Controls, listenToKeyboard, listenToTouch } from "./controls.js";
import { Field } from "./field.js";

/** What keys do in each phase; off in all others. @type {Record<string, "ready" | "live">} */
const MODES = { countdown: "ready", playing: "live" };
/** The keys to send: either pair is good for either seat. */
const KEYS = { up: "ArrowUp", down: "ArrowDown" };

/**
 * @param {HTMLElement} stage
 * @param {import("./register.js").Context} context
 * @returns {import("./register.js").Shown}
 */
export function mount(stage, context) {
  const canvas = /** @type {HTMLCanvasElement} */ (element("canvas", {}));
  canvas.id = "field";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Pong field");
  stage.prepend(canvas);
  const field = new Field(canvas);
  const held = { up: false, down: false };
  const controls = new Controls((direction, pressed) => {
    held[direction] = pressed;
    field.hold({ ...held });
    context.press({ direction: KEYS[direction], action: pressed ? "down" : "up" });
  });
  context.controls.append(pads(controls));
  const listen = listener(context);
  const stopKeys = listenToKeyboard(controls);
  return {
    update(update) {
      listen(field.state, update.state);
      field.show(update);
    },
    phase(phase) {
      const plays = context.seat !== null;
      field.youIndex = context.you;
      if (phase !== "playing") held.up = held.down = false;
      field.predict(plays && phase === "playing");
      controls.setMode((plays && MODES[phase]) || "off");
    },
    reset: () => field.reset(),
    unmount: stopKeys,
  };
}

/** @param {Controls} controls */
function pads(controls) {
  const made = element("div", { className: "pads" });
  for (const direction of /** @type {const} */ (["up", "down"])) {
    const pad = element("button", { className: "b" }, icon(direction));
    Object.assign(pad, { type: "button", id: `pad-${direction}` });
    pad.setAttribute("aria-label", direction === "up" ? "Up" : "Down");
    listenToTouch(controls, pad, direction);
    made.append(pad);
  }
  return made;
}

/**
 * Tells what is heard from one state to the next: a ball that turned back was hit.
 * @param {import("./register.js").Context} context
 */
function listener(context) {
  let direction = 0;
  return (before, after) => {
    if (before.s1 !== after.s1 || before.s2 !== after.s2) context.sound("point");
    const next = Math.sign(after.ballX - before.ballX) || 0;
    if (next && direction && next !== direction) context.sound("hit");
    direction = next || direction;
  };
}
