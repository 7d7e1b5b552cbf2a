// One match, from taking the seat to the result. The server rules; this module shows.

import { byId, setText } from "./dom.js";
import { Controls, listenToKeyboard, listenToTouch } from "./controls.js";
import { Field } from "./field.js";

/** Between `game:start` and the first tick. */
const START_DELAY_MS = 1_000;
/** After that long without a start, the other player is what is missing. */
const BEGIN_PATIENCE_MS = 1_200;
const TICK_MS = 100;

const KEYS = [
  { up: "w", down: "s" },
  { up: "ArrowUp", down: "ArrowDown" },
];

/**
 * @typedef {"idle" | "joining" | "waiting" | "ready" | "starting" | "countdown" | "playing"
 *   | "paused" | "result" | "lost"} Phase lost: the connection is gone
 * @typedef {{id: number | string, name: string}} User
 */

export class Game {
  #send;
  #field = new Field(/** @type {HTMLCanvasElement} */ (byId("field")));
  #controls = new Controls((direction, pressed) => this.#move(direction, pressed));
  /** @type {Phase} */ #phase = "idle";
  #roomId = "";
  #me = /** @type {User | null} */ (null);
  /** @type {User[]} */ #players = [];
  #youIndex = 0;
  /** What the present phase counts down to, on the clock of `performance.now()`. */
  #deadline = 0;
  #phaseTimer = 0;
  /** @type {string[]} */ #awayNames = [];
  #outcome = { text: "", detail: "" };
  /** Whether this socket has taken the seat. */
  #isJoined = false;
  #opponentIsOnline = true;
  /** Whether the room still has both its players. */
  #roomIsFull = true;
  #isRematch = false;

  /**
   * @param {{send: (message: {type: string}) => boolean, onLeave: () => void}} ports
   */
  constructor({ send, onLeave }) {
    this.#send = send;
    listenToKeyboard(this.#controls);
    listenToTouch(this.#controls, byId("pads"));
    listenToTouch(this.#controls, byId("field"));
    byId("start").addEventListener("click", () => this.#begin());
    byId("again").addEventListener("click", () => this.#begin());
    byId("leave").addEventListener("click", () => {
      const hasLeft = !this.#roomId || this.#send({ type: "game:leave", roomId: this.#roomId });
      if (hasLeft) onLeave();
    });
  }

  /** @returns {Phase} */
  get phase() {
    return this.#phase;
  }

  /** @param {User} me */
  set me(me) {
    this.#me = me;
  }

  /** The server has said that there is a room; which one, it says next. */
  expect() {
    if (this.#phase !== "result") this.#enter("joining");
  }

  /**
   * Takes the seat, once on each connection.
   * @param {{roomId: string, players: User[]}} start
   */
  join({ roomId, players }) {
    const isSameRoom = roomId === this.#roomId;
    if (isSameRoom && this.#isJoined) return;
    this.#isJoined = this.#send({ type: "game:join", roomId });
    if (isSameRoom && this.#phase === "result") return;
    this.#roomId = roomId;
    this.#opponentIsOnline = this.#roomIsFull = true;
    this.#isRematch = false;
    this.#field.reset();
    this.#showScore(0, 0);
    setText(byId("clock"), "");
    this.#seat(
      players,
      players.findIndex(({ id }) => id === this.#me?.id),
    );
    this.#enter("waiting");
  }

  /** The match is no longer shown. */
  leave() {
    this.#roomId = "";
    this.#isJoined = false;
    this.#enter("idle");
  }

  /** The connection is gone; a result stays to be read. */
  disconnected() {
    this.#isJoined = false;
    if (this.#phase !== "idle" && this.#phase !== "result") this.#enter("lost");
  }

  /** The room is gone. Only a result can still be shown. */
  roomGone() {
    this.#roomId = "";
    this.#roomIsFull = false;
    this.#enter("result");
  }

  /** @param {User[]} users everyone online: without an opponent there is no rematch */
  setOnline(users) {
    this.#opponentIsOnline = users.some(({ id }) => id === this.#opponent?.id);
    if (this.#phase === "result") this.#render();
  }

  /** The server has refused something; a start that was asked for will not come. */
  refused() {
    if (this.#phase !== "starting") return;
    if (this.#isRematch) this.#roomIsFull = false;
    this.#enter(this.#isRematch ? "result" : "ready");
  }

  /**
   * Takes a message of the room that is shown; others are of a room that was left.
   * @param {any} message
   */
  handle(message) {
    if (message.roomId !== undefined && message.roomId !== this.#roomId) return;
    switch (message.type) {
      case "game:ready":
        if (this.#phase === "waiting") this.#enter("ready");
        break;
      case "room:players":
        this.#roomIsFull = message.players.length > 1;
        if (this.#roomIsFull) this.#seat(message.players, message.youIndex);
        if (this.#phase === "result") this.#render();
        break;
      case "game:start":
        this.#started(message);
        break;
      case "game:update":
        this.#updated(message.state);
        break;
      case "game:timer":
        this.#showClock(message.remaining);
        break;
      case "game:paused":
        this.#paused(message);
        break;
      case "game:resumed":
        this.#enter("countdown", message.startsInMs);
        break;
      case "game:timeup":
      case "game:end":
        this.#ended(message);
        break;
    }
  }

  get #opponent() {
    return this.#players[1 - this.#youIndex];
  }

  get #canPlayAgain() {
    return this.#roomIsFull && this.#opponentIsOnline;
  }

  get #opponentName() {
    return this.#opponent?.name ?? "the other player";
  }

  #seat(players, youIndex) {
    this.#players = players;
    this.#youIndex = youIndex === 1 ? 1 : 0;
    this.#field.youIndex = this.#youIndex;
    [byId("player1"), byId("player2")].forEach((label, index) => {
      setText(label, players[index]?.name ?? "");
      label.classList.toggle("you", index === this.#youIndex);
    });
  }

  #begin() {
    if (!this.#send({ type: "game:begin", roomId: this.#roomId })) return;
    this.#isRematch = this.#phase === "result";
    this.#enter("starting", BEGIN_PATIENCE_MS);
  }

  #started({ duration, playerIndex, players }) {
    this.#seat(players ?? this.#players, playerIndex);
    this.#showClock(duration);
    // On the way back into a match, a pause that was told first stands.
    if (this.#phase === "paused" || this.#phase === "countdown") return;
    this.#field.reset();
    this.#showScore(0, 0);
    this.#enter("countdown", START_DELAY_MS);
  }

  #updated(state) {
    if (this.#phase === "result") return;
    const before = this.#field.state;
    this.#field.show(state);
    this.#showScore(state.s1, state.s2);
    // Who comes back into a match in play has nothing to wait for.
    const ballMoves =
      before.ballX !== undefined && state.ballX !== undefined && before.ballX !== state.ballX;
    if (ballMoves && this.#phase === "countdown") this.#enter("playing");
  }

  #paused({ away = [], graceMs }) {
    const names = this.#players.filter(({ id }) => away.includes(id) && id !== this.#me?.id);
    this.#awayNames = names.map(({ name }) => name);
    this.#enter("paused", graceMs);
  }

  /** `game:timeup` names a side, `game:end` may also say `you` or `opponent`. */
  #ended({ type, winner, scores }) {
    const wasForfeit = type === "game:end";
    if (wasForfeit) this.#roomIsFull = false;
    if (this.#phase === "result") return this.#render();
    const mine = `p${this.#youIndex + 1}`;
    const score = scores ?? this.#field.state;
    this.#showScore(score.s1, score.s2);
    const won = winner === "you" || winner === mine;
    const isDraw = winner === "draw" || !winner;
    const text = isDraw ? (wasForfeit ? "No winner" : "A draw") : won ? "You won" : "You lost";
    const reason = this.#phase === "paused" ? "did not come back in time." : "left the match.";
    const [yours, theirs] = this.#youIndex === 0 ? [score.s1, score.s2] : [score.s2, score.s1];
    byId("result").classList.toggle("won", won);
    this.#outcome = {
      text: wasForfeit ? text : `${text}, ${yours} to ${theirs}`,
      detail: wasForfeit && won ? `${this.#opponentName} ${reason}` : "",
    };
    this.#enter("result");
  }

  #move(direction, pressed) {
    const key = KEYS[this.#youIndex][direction];
    this.#send({
      type: "game:move",
      roomId: this.#roomId,
      direction: key,
      action: pressed ? "down" : "up",
    });
  }

  #showScore(s1, s2) {
    setText(byId("s1"), String(s1));
    setText(byId("s2"), String(s2));
  }

  #showClock(seconds) {
    const whole = Math.max(0, Math.ceil(seconds));
    setText(byId("clock"), `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`);
  }

  /**
   * @param {Phase} phase
   * @param {number} [lastsMs] for phases that count down
   */
  #enter(phase, lastsMs = 0) {
    const isNew = phase !== this.#phase;
    this.#phase = phase;
    this.#deadline = performance.now() + lastsMs;
    clearInterval(this.#phaseTimer);
    this.#phaseTimer = lastsMs ? setInterval(() => this.#tick(), TICK_MS) : 0;
    this.#controls.setMode(
      phase === "playing" ? "live" : phase === "countdown" || phase === "paused" ? "ready" : "off",
    );
    this.#render();
    if (isNew && phase === "ready") byId("start").focus({ preventScroll: true });
    if (isNew && phase === "result")
      byId(this.#canPlayAgain ? "again" : "leave").focus({ preventScroll: true });
  }

  #tick() {
    if (performance.now() < this.#deadline) return this.#render();
    clearInterval(this.#phaseTimer);
    if (this.#phase === "countdown") this.#enter("playing");
    else this.#render();
  }

  #render() {
    const leftMs = Math.max(0, this.#deadline - performance.now());
    const phase = this.#phase;
    const { title, text = "", count = "" } = this.#words(leftMs);
    const isOver = phase === "result";
    byId("stage").dataset.phase = phase;
    byId("overlay").hidden = phase === "playing" || phase === "idle";
    setText(byId("result"), isOver ? this.#outcome.text : "");
    byId("result").hidden = !isOver;
    setText(byId("overlay-title"), title);
    byId("overlay-title").hidden = !title;
    setText(byId("overlay-text"), text);
    byId("overlay-text").hidden = !text;
    setText(byId("overlay-count"), count);
    byId("overlay-count").hidden = !count;
    byId("start").hidden = phase !== "ready";
    byId("again").hidden = !(isOver && this.#canPlayAgain);
    this.#placeLeave(isOver || (phase === "starting" && this.#isRematch));
  }

  /** After the result, the way out belongs beside the rematch; before, out of the way. */
  #placeLeave(isOver) {
    const leave = byId("leave");
    const place = byId(isOver ? "overlay-actions" : "leave-place");
    if (leave.parentElement !== place) place.append(leave);
    setText(leave, isOver ? "Back to lobby" : "Give up");
  }

  /** @param {number} leftMs */
  #words(leftMs) {
    const seconds = String(Math.ceil(leftMs / 1000));
    switch (this.#phase) {
      case "joining":
        return { title: "Finding your match…" };
      case "waiting":
        return { title: `Waiting for ${this.#opponentName} to sit down…` };
      case "ready":
        return {
          title: `You play on the ${this.#youIndex === 0 ? "left" : "right"}`,
          text: "Either of you may start.",
        };
      case "starting":
        return { title: leftMs ? "Starting…" : `Waiting for ${this.#opponentName}…` };
      case "countdown":
        return { title: "Get ready", count: seconds };
      case "paused": {
        const names = this.#awayNames.join(" and ");
        const title = names ? `${names} lost the connection` : "The match stands still";
        return leftMs
          ? { title, text: "The match waits, nothing is lost.", count: seconds }
          : { title, text: "Time is up." };
      }
      case "result":
        return {
          title:
            this.#outcome.detail || (this.#canPlayAgain ? "" : `${this.#opponentName} is gone.`),
        };
      case "lost":
        return { title: "Connection lost", text: "Your seat is kept for a moment." };
      default:
        return { title: "" };
    }
  }
}
