// Draws a match of Pong: what moves is played back evenly from the received states, the player's own paddle
// is predicted from their keys. All lengths are per cent of the field, in both axes; at 3:2 the ball is
// square.

import { Playback, Prediction } from "../client/client.js";

const PADDLE = { width: 3.3, height: 25 };
const BALL = { width: 3.3, height: 5 };
const TRAIL_LENGTH = 7;
/** Interval between points of the trail, independent of the screen's frame rate. */
const TRAIL_STEP_MS = 16;

/** @typedef {{p1Y: number, p2Y: number, s1: number, s2: number, ballX?: number, ballY?: number}} State */

/** The paddle's rules, those of service/games/pong.py: per step, of which there are 60 a second. */
const ACCELERATION = 0.8;
const SPEED_MAX = 3;
const FRICTION = 0.9;
const REST_SPEED = 0.001;
const PADDLE_Y_MAX = 100 - PADDLE.height;
/** A predicted paddle that is further off than this, in several frames, is moved at once. */
const LEAP = 15;
/** How far it is moved in a step at rest: less than a pixel. */
const DRIFT = 0.15;

/** @typedef {{up: boolean, down: boolean}} Keys */
/** @type {Keys} */
const RELEASED = { up: false, down: false };

/**
 * A paddle a step later.
 * @param {{y: number, speed: number}} paddle
 * @param {Keys} keys
 */
function movePaddle({ y, speed }, { up, down }) {
  if (up !== down) {
    speed = Math.max(-SPEED_MAX, Math.min(SPEED_MAX, speed + (up ? -ACCELERATION : ACCELERATION)));
  } else {
    speed *= FRICTION;
    if (Math.abs(speed) < REST_SPEED) speed = 0;
  }
  if (y + speed < 0) return { y: 0, speed: 0 };
  if (y + speed > PADDLE_Y_MAX) return { y: PADDLE_Y_MAX, speed: 0 };
  return { y: y + speed, speed };
}

/** The state shown before the first one is received. */
const AT_REST = Object.freeze({ p1Y: 37.5, p2Y: 37.5, s1: 0, s2: 0 });

/** After a point positions are not interpolated. */
const isPoint = (before, after) => before.s1 !== after.s1 || before.s2 !== after.s2;

export class Field {
  #canvas;
  #context;
  #colours = { you: "", other: "", ball: "", line: "" };
  /** @type {State} */ #state = AT_REST;
  /** @type {Playback<State>} */
  #motion = new Playback({ fields: ["p1Y", "p2Y", "ballX", "ballY"], isJump: isPoint });
  #own = new Prediction({
    start: { y: AT_REST.p1Y, speed: 0 },
    input: RELEASED,
    step: movePaddle,
    field: "y",
    leap: LEAP,
    drift: DRIFT,
  });
  /** Whether the own paddle is predicted now. */
  #isPredicted = false;
  /** @type {{x: number, y: number}[]} */ #trail = [];
  #trailedAt = 0;
  #youIndex = 0;
  #frame = 0;
  #stillness = matchMedia("(prefers-reduced-motion: reduce)");

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    new ResizeObserver((entries) => this.#resize(entries[0])).observe(canvas);
  }

  /** @param {number} index of the player's own paddle */
  set youIndex(index) {
    this.#youIndex = index;
    this.#ask();
  }

  /**
   * Predicts the own paddle from now on, from where it stands, or shows it as the service does.
   * @param {boolean} isPredicted
   */
  predict(isPredicted) {
    if (isPredicted === this.#isPredicted) return;
    this.#isPredicted = isPredicted;
    this.#own.input(RELEASED, performance.now());
    this.#own.reset({ y: this.#ownY(this.#state), speed: 0 });
    this.#ask();
  }

  /** @param {Keys} keys that the player holds from now on */
  hold(keys) {
    this.#own.input(keys, performance.now());
    this.#ask();
  }

  /** @returns {State} the newest one, which may not be drawn yet */
  get state() {
    return this.#state;
  }

  /** Clears the field for the next match. */
  reset() {
    this.#state = AT_REST;
    this.#motion.reset();
    this.#own.reset();
    this.#trail = [];
    this.#ask();
  }

  /**
   * Adds a `game:update`; frames are drawn until its state is reached.
   * @param {{run: number, tick: number, state: State}} update
   */
  show(update) {
    const now = performance.now();
    this.#state = update.state;
    this.#motion.push(update, now);
    if (this.#isPredicted) this.#own.reconcile(update, this.#ownY(update.state), now);
    this.#ask();
  }

  /** @param {State} state */
  #ownY({ p1Y, p2Y }) {
    return this.#youIndex === 0 ? p1Y : p2Y;
  }

  #ask() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** @param {ResizeObserverEntry} entry */
  #resize({ contentRect }) {
    const ratio = window.devicePixelRatio || 1;
    this.#canvas.width = Math.round(contentRect.width * ratio);
    this.#canvas.height = Math.round(contentRect.height * ratio);
    const style = getComputedStyle(this.#canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.#colours = {
      you: colour("--amber"),
      other: colour("--blue"),
      ball: colour("--ball"),
      line: colour("--net"),
    };
    this.#draw();
  }

  #draw() {
    const { width, height } = this.#canvas;
    if (!width || !height) return;
    const now = performance.now();
    /** @type {State} */
    const state = this.#motion.at(now) ?? AT_REST;
    const { ballX } = state;
    const [p1Y, p2Y] = this.#paddles(state, now);
    this.#context.clearRect(0, 0, width, height);
    this.#drawNet(width, height);
    const [left, right] = this.#youIndex === 0 ? ["you", "other"] : ["other", "you"];
    this.#rectangle(0, p1Y, PADDLE, this.#colours[left]);
    this.#rectangle(100 - PADDLE.width, p2Y, PADDLE, this.#colours[right]);
    this.#leaveTrail(state, now);
    if (ballX !== undefined) this.#drawBall();
    if (this.#isPredicted || this.#motion.isMoving()) this.#ask();
  }

  /**
   * @param {State} state
   * @param {number} now
   */
  #paddles({ p1Y, p2Y }, now) {
    if (!this.#isPredicted) return [p1Y, p2Y];
    const { y } = this.#own.at(now);
    return this.#youIndex === 0 ? [y, p2Y] : [p1Y, y];
  }

  /**
   * @param {State} state
   * @param {number} now
   */
  #leaveTrail({ ballX, ballY }, now) {
    if (ballX === undefined || ballY === undefined) {
      this.#trail = [];
      return;
    }
    if (now - this.#trailedAt < TRAIL_STEP_MS) this.#trail.pop();
    else this.#trailedAt = now;
    this.#trail.push({ x: ballX, y: ballY });
    if (this.#trail.length > TRAIL_LENGTH) this.#trail.shift();
  }

  /** The last point of the trail is the newest; older ones fade. */
  #drawBall() {
    const places = this.#stillness.matches ? this.#trail.slice(-1) : this.#trail;
    places.forEach(({ x, y }, index) => {
      const age = places.length - 1 - index;
      this.#context.globalAlpha = age === 0 ? 1 : 0.16 * (1 - age / TRAIL_LENGTH);
      this.#rectangle(x, y, BALL, this.#colours.ball);
    });
    this.#context.globalAlpha = 1;
  }

  #drawNet(width, height) {
    const dash = height / 41;
    const thickness = Math.max(1, Math.round(width / 320));
    this.#context.fillStyle = this.#colours.line;
    for (let y = 0; y < height; y += 2 * dash) {
      this.#context.fillRect(
        Math.round((width - thickness) / 2),
        Math.round(y),
        thickness,
        Math.round(dash),
      );
    }
  }

  /** Edges are rounded to device pixels, which keeps them sharp. */
  #rectangle(x, y, size, colour) {
    const { width, height } = this.#canvas;
    this.#context.fillStyle = colour;
    this.#context.fillRect(
      Math.round((x * width) / 100),
      Math.round((y * height) / 100),
      Math.round((size.width * width) / 100),
      Math.round((size.height * height) / 100),
    );
  }
}
