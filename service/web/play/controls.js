// Reduces keys and touches to two states, "up" held and "down" held, and emits only their
// changes.

const BY_KEY = new Map([
  ["w", "up"],
  ["arrowup", "up"],
  ["s", "down"],
  ["arrowdown", "down"],
]);
/** Key codes of W and S, for keyboards without Latin letters. */
const BY_CODE = new Map([
  ["KeyW", "up"],
  ["KeyS", "down"],
]);

/** @typedef {"up" | "down"} Direction */
/** @typedef {"off" | "ready" | "live"} Mode off: keys belong to the page; ready: they are
 * watched; live: changes are emitted. */

export class Controls {
  #emit;
  /** @type {Mode} */ #mode = "off";
  /** The direction of each pressed key or finger. @type {Map<string, Direction>} */ #held =
    new Map();
  /** @type {Record<Direction, boolean>} */ #sent = { up: false, down: false };

  /** @param {(direction: Direction, pressed: boolean) => void} emit */
  constructor(emit) {
    this.#emit = emit;
  }

  /** @returns {Mode} */
  get mode() {
    return this.#mode;
  }

  /**
   * Switching to live emits the held directions; the server releases held keys by itself when play
   * stops, so leaving it emits nothing.
   * @param {Mode} mode
   */
  setMode(mode) {
    if (mode === this.#mode) return;
    this.#mode = mode;
    if (mode !== "live") this.#sent = { up: false, down: false };
    if (mode === "off") this.#held.clear();
    this.#settle();
  }

  /**
   * A key or finger was pressed, or has moved to another direction.
   * @param {string} source
   * @param {Direction} direction
   */
  press(source, direction) {
    if (this.#mode === "off" || this.#held.get(source) === direction) return;
    this.#held.set(source, direction);
    this.#settle();
  }

  /** @param {string} source */
  release(source) {
    if (this.#held.delete(source)) this.#settle();
  }

  /** Releases everything, for instance when the window loses focus and no `keyup` follows. */
  releaseAll() {
    this.#held.clear();
    this.#settle();
  }

  #settle() {
    if (this.#mode !== "live") return;
    const held = new Set(this.#held.values());
    for (const direction of /** @type {Direction[]} */ (["up", "down"])) {
      if (held.has(direction) === this.#sent[direction]) continue;
      this.#sent[direction] = held.has(direction);
      this.#emit(direction, held.has(direction));
    }
  }
}

/**
 * Binds W and S and the arrow keys, for players on either side.
 * @param {Controls} controls
 */
export function listenToKeyboard(controls) {
  addEventListener("keydown", (event) => {
    if (controls.mode === "off" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLInputElement) return; // The user is typing in the chat.
    const direction = BY_KEY.get(event.key.toLowerCase()) ?? BY_CODE.get(event.code);
    if (!direction) return;
    event.preventDefault(); // Arrows would scroll the page.
    controls.press(event.code, /** @type {Direction} */ (direction));
  });
  addEventListener("keyup", ({ code }) => controls.release(code));
  addEventListener("blur", () => controls.releaseAll());
  document.addEventListener("visibilitychange", () => document.hidden && controls.releaseAll());
}

/**
 * Binds touches: the upper half of the area is up, the lower half down, and a finger may
 * slide from one to the other.
 * @param {Controls} controls
 * @param {HTMLElement} area
 */
export function listenToTouch(controls, area) {
  const source = (event) => `pointer ${event.pointerId}`;
  const point = (event) => {
    const { top, height } = area.getBoundingClientRect();
    const direction = event.clientY < top + height / 2 ? "up" : "down";
    area.dataset.held = direction;
    controls.press(source(event), direction);
  };
  area.addEventListener("pointerdown", (event) => {
    if (controls.mode === "off") return;
    area.setPointerCapture(event.pointerId);
    event.preventDefault();
    point(event);
  });
  area.addEventListener("pointermove", (event) => {
    if (area.hasPointerCapture(event.pointerId)) point(event);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    area.addEventListener(end, (event) => {
      delete area.dataset.held;
      controls.release(source(event));
    });
  }
  area.addEventListener("contextmenu", (event) => event.preventDefault());
}
