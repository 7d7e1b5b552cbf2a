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
 * @returns {() => void} undoes it
 */
export function listenToKeyboard(controls) {
  const end = new AbortController();
  const options = { signal: end.signal };
  addEventListener(
    "keydown",
    (event) => {
      if (controls.mode === "off" || event.ctrlKey || event.metaKey || event.altKey) return;
      // The user is typing, as in the chat.
      if (event.target instanceof HTMLElement && event.target.matches("input, textarea, select"))
        return;
      const direction = BY_KEY.get(event.key.toLowerCase()) ?? BY_CODE.get(event.code);
      if (!direction) return;
      event.preventDefault(); // Arrows would scroll the page.
      controls.press(event.code, /** @type {Direction} */ (direction));
    },
    options,
  );
  addEventListener("keyup", ({ code }) => controls.release(code), options);
  addEventListener("blur", () => controls.releaseAll(), options);
  const hidden = () => document.hidden && controls.releaseAll();
  document.addEventListener("visibilitychange", hidden, options);
  return () => end.abort();
}

/**
 * Binds a button that holds a direction while a finger is on it.
 * @param {Controls} controls
 * @param {HTMLElement} pad
 * @param {Direction} direction
 */
export function listenToTouch(controls, pad, direction) {
  const source = (event) => `pointer ${event.pointerId}`;
  pad.addEventListener("pointerdown", (event) => {
    if (controls.mode === "off") return;
    pad.setPointerCapture(event.pointerId);
    event.preventDefault();
    controls.press(source(event), direction);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    pad.addEventListener(end, (event) => controls.release(source(event)));
  }
  pad.addEventListener("contextmenu", (event) => event.preventDefault());
}
