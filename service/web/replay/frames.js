// The frames of a recorded match, read from the service in windows around where a replay stands.

/** How many ticks one window has: ten seconds of a game at 60 Hz. */
const WINDOW_TICKS = 600;

/** How many windows are kept. */
const WINDOWS_MAX = 24;

/** @typedef {{tick: number, state: any}} Frame */

/** Reads frames when they are asked for, and the window behind them ahead of time. */
export class Frames {
  /** @type {Map<number, Frame[]>} */
  #windows = new Map();
  /** @type {Map<number, Promise<void>>} */
  #loading = new Map();
  #read;
  #ticks;

  /**
   * @param {number} ticks of the match
   * @param {(from: number, to: number) => Promise<Frame[]>} read both ticks inclusive
   */
  constructor(ticks, read) {
    this.#ticks = ticks;
    this.#read = read;
  }

  /** A live match has gone on: its last window is read again. @param {number} ticks */
  extend(ticks) {
    if (ticks === this.#ticks) return;
    this.#windows.delete(this.#indexOf(this.#ticks));
    this.#ticks = ticks;
  }

  /**
   * The frame at a tick, or the last one before it; undefined while it is being read.
   * @param {number} tick
   * @returns {Frame | undefined}
   */
  at(tick) {
    const index = this.#indexOf(tick);
    this.load(tick);
    if (this.#windows.has(index) && (index + 1) * WINDOW_TICKS <= this.#ticks) {
      this.load((index + 1) * WINDOW_TICKS);
    }
    return this.#windows.get(index)?.findLast((frame) => frame.tick <= tick);
  }

  /**
   * Reads the window of a tick, unless it is there; rejects when the service refuses.
   * @param {number} tick
   * @returns {Promise<void>}
   */
  load(tick) {
    const index = this.#indexOf(tick);
    if (this.#windows.has(index)) return Promise.resolve();
    const loading = this.#loading.get(index) ?? this.#load(index);
    this.#loading.set(index, loading);
    // Who waits gets the error; else the next look tries again.
    loading.catch(() => {});
    return loading;
  }

  /** @param {number} index */
  async #load(index) {
    const from = index * WINDOW_TICKS;
    try {
      const to = Math.min(this.#ticks, from + WINDOW_TICKS - 1);
      this.#windows.set(index, await this.#read(from, to));
      while (this.#windows.size > WINDOWS_MAX) {
        this.#windows.delete(/** @type {number} */ (this.#windows.keys().next().value));
      }
    } finally {
      this.#loading.delete(index);
    }
  }

  /** @param {number} tick */
  #indexOf(tick) {
    return Math.floor(Math.max(0, Math.min(tick, this.#ticks)) / WINDOW_TICKS);
  }
}

/**
 * The frames of an answer in NDJSON.
 * @param {string} text
 * @returns {Frame[]}
 */
export function parsedFrames(text) {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}
