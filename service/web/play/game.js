// One room, from joining to the result, for players and spectators. The server is
// authoritative; this module displays.

import { Board } from "./board.js";
import { Chat } from "./chat.js";
import { Controls, listenToKeyboard, listenToTouch } from "./controls.js";
import { byId, setText } from "../common/dom.js";
import { Field } from "./field.js";
import { GAMES } from "./games.js";

/** Between `game:start` and the first tick. */
const START_DELAY_MS = 1_000;
/** After this long without a start, show that the other player is missing. */
const BEGIN_PATIENCE_MS = 1_200;
const TICK_MS = 100;

const KEYS = [
  { up: "w", down: "s" },
  { up: "ArrowUp", down: "ArrowDown" },
];

/** The control mode of each phase; in the others, keys have their normal function. */
const MODES = { playing: "live", countdown: "ready", paused: "ready" };

/**
 * @typedef {"idle" | "joining" | "waiting" | "ready" | "starting" | "countdown" | "playing"
 *   | "paused" | "result" | "lost"} Phase lost: disconnected
 * @typedef {{id: number | string, name: string}} User
 */

export class Game {
  #act;
  #send;
  #onLeave;
  #field = new Field(/** @type {HTMLCanvasElement} */ (byId("field")));
  #board = new Board((column) => this.#drop(column));
  #chat = new Chat({
    say: (roomId, text) => this.#act({ type: "chat:send", roomId, text }),
    sideOf: (userId) => this.#sideOf(userId),
  });
  #controls = new Controls((direction, pressed) => this.#press(direction, pressed));
  /** @type {Phase} */ #phase = "idle";
  #roomId = "";
  #game = "pong";
  #isPlayer = true;
  #me = /** @type {User | null} */ (null);
  /** @type {User[]} */ #players = [];
  #youIndex = 0;
  /** The newest `room:state`. */
  #room = /** @type {any} */ (null);
  /** End of the countdown of the current phase, in the time of `performance.now()`. */
  #deadline = 0;
  #phaseTimer = 0;
  /** @type {string[]} */ #awayNames = [];
  #outcome = { text: "", detail: "" };
  #isRematch = false;

  /**
   * @param {{act: (command: {type: string}) => Promise<boolean>,
   *   send: (message: {type: string}) => boolean, onLeave: () => void}} ports
   *   `act` returns whether the command was executed
   */
  constructor({ act, send, onLeave }) {
    this.#act = act;
    this.#send = send;
    this.#onLeave = onLeave;
    listenToKeyboard(this.#controls);
    listenToTouch(this.#controls, byId("pads"));
    listenToTouch(this.#controls, byId("field"));
    byId("start").addEventListener("click", () => this.#begin());
    byId("again").addEventListener("click", () => this.#begin());
    byId("leave").addEventListener("click", () => {
      if (this.#roomId) this.#act({ type: "room:leave", roomId: this.#roomId });
      this.#onLeave();
    });
  }

  /** @returns {Phase} */
  get phase() {
    return this.#phase;
  }

  /** @returns {boolean} whether this user is a player, not a spectator */
  get isPlayer() {
    return this.#isPlayer;
  }

  /** @returns {string} */
  get roomId() {
    return this.#roomId;
  }

  /** @param {User} me */
  set me(me) {
    this.#me = me;
  }

  /** @param {number} lengthMax */
  set chatLengthMax(lengthMax) {
    this.#chat.lengthMax = lengthMax;
  }

  /** The server has announced a room; its id follows. */
  expect() {
    if (this.#phase !== "result") this.#enter("joining");
  }

  /**
   * Takes the user's seat, unless it is taken already.
   * @param {{roomId: string, players: User[]}} start
   */
  join({ roomId, players }) {
    if (roomId === this.#roomId) return;
    if (this.#roomId && !this.#isPlayer) this.#act({ type: "room:leave", roomId: this.#roomId });
    this.#show(roomId, true);
    this.#seat(players, this.#indexOfMe(players));
    this.#act({ type: "game:join", roomId });
  }

  /**
   * Watches the match of other players.
   * @param {string} roomId
   * @returns {Promise<boolean>} whether joining as a spectator succeeded
   */
  watch(roomId) {
    this.#show(roomId, false);
    return this.#act({ type: "room:join", roomId, role: "spectator" });
  }

  /** The match is no longer shown. */
  leave() {
    this.#roomId = "";
    this.#room = null;
    this.#chat.open("");
    this.#enter("idle");
  }

  /** The connection was lost; a result stays visible. */
  disconnected() {
    if (this.#phase !== "idle" && this.#phase !== "result") this.#enter("lost");
  }

  /** The room was closed; only a result stays visible. */
  roomGone() {
    this.#roomId = "";
    this.#room = null;
    this.#enter("result");
  }

  /**
   * Handles a message of the room that is shown, and ignores those of a room that was left.
   * @param {any} message
   */
  handle(message) {
    if (message.roomId !== this.#roomId) return;
    switch (message.type) {
      case "room:state":
        this.#changed(message);
        break;
      case "room:left":
        this.#left(message.userId);
        break;
      case "game:ready":
        if (this.#phase === "waiting") this.#enter("ready");
        break;
      case "game:start":
        this.#started(message);
        break;
      case "game:update":
        this.#updated(message);
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
      case "game:over":
        this.#ended(message);
        break;
      case "chat:history":
        this.#chat.history(message);
        break;
      case "chat:message":
        this.#chat.said(message);
        break;
    }
  }

  get #opponent() {
    return this.#players[1 - this.#youIndex];
  }

  get #opponentName() {
    return this.#opponent?.name ?? "the other player";
  }

  get #opponentSeat() {
    return this.#room?.seats.find(({ user }) => user && user.id !== this.#me?.id);
  }

  get #canPlayAgain() {
    return this.#isPlayer && Boolean(this.#opponentSeat) && !this.#opponentSeat.away;
  }

  /** Only the player whose turn it is may drop a disc. */
  get #isMyTurn() {
    return this.#isPlayer && this.#board.state.turn === this.#youIndex;
  }

  /** Spectators see the left side in the own colour. */
  #sideOf(userId) {
    const index = this.#players.findIndex(({ id }) => id === userId);
    return index === -1 ? "" : index === this.#youIndex ? "you" : "other";
  }

  #indexOfMe(players) {
    return players.findIndex(({ id }) => id === this.#me?.id);
  }

  #show(roomId, isPlayer) {
    this.#roomId = roomId;
    this.#room = null;
    this.#isPlayer = isPlayer;
    this.#isRematch = false;
    this.#field.reset();
    this.#board.reset();
    this.#showScore(0, 0);
    setText(byId("clock"), "");
    this.#chat.open(roomId);
    this.#chat.watching = 0;
    this.#seat([], 0);
    this.#enter("waiting");
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

  #changed(room) {
    this.#room = room;
    this.#game = room.game;
    this.#chat.watching = room.spectators;
    const players = room.seats.flatMap(({ user }) => user ?? []);
    // The name of a player who left after the result stays beside their score.
    if (players.length > 1) this.#seat(players, this.#indexOfMe(players));
    const phase = this.#phaseOf(room);
    if (phase && ["waiting", "lost"].includes(this.#phase)) this.#enter(phase);
    else this.#render();
  }

  /** The room's state shows this as well, but slightly later. */
  #left(userId) {
    if (!this.#room) return;
    const seats = this.#room.seats.map((seat) =>
      seat.user?.id === userId ? { ...seat, user: null } : seat,
    );
    this.#room = { ...this.#room, seats };
    this.#render();
  }

  /** Shows a room without a live match; a live match has its own messages. */
  #phaseOf({ phase }) {
    if (phase === "playing") return null;
    if (phase === "finished") return "result";
    return phase === "ready" && this.#isPlayer ? "ready" : "waiting";
  }

  #begin() {
    this.#isRematch = this.#phase === "result";
    this.#enter("starting", BEGIN_PATIENCE_MS);
    this.#act({ type: "game:begin", roomId: this.#roomId }).then((isDone) => {
      if (!isDone && this.#phase === "starting") this.#enter(this.#isRematch ? "result" : "ready");
    });
  }

  #started({ game, duration, playerIndex, players }) {
    this.#game = game;
    this.#seat(players, playerIndex);
    if (duration !== null) this.#showClock(duration);
    // When rejoining a match, a pause that was announced first is kept.
    if (this.#phase === "paused" || this.#phase === "countdown") return;
    if (this.#phase !== "lost") {
      this.#field.reset();
      this.#board.reset();
      this.#showScore(0, 0);
    }
    if (game === "pong") this.#enter("countdown", START_DELAY_MS);
    else this.#enter("playing");
  }

  #updated(update) {
    if (this.#phase === "result") return;
    if (this.#game === "pong") this.#updatedField(update);
    else {
      this.#board.show(update.state);
      this.#render();
    }
  }

  #updatedField(update) {
    const before = this.#field.state;
    const { state } = update;
    this.#field.show(update);
    this.#showScore(state.s1, state.s2);
    // A spectator or tab that joins a running match has no countdown.
    const ballMoves =
      before.ballX !== undefined && state.ballX !== undefined && before.ballX !== state.ballX;
    if (ballMoves && this.#phase === "countdown") this.#enter("playing");
  }

  #paused({ away, graceMs }) {
    const names = this.#players.filter(({ id }) => away.includes(id) && id !== this.#me?.id);
    this.#awayNames = names.map(({ name }) => name);
    this.#enter("paused", graceMs);
  }

  #ended({ reason, winner, scores }) {
    this.#showScore(scores[0], scores[1]);
    byId("result").classList.toggle("won", this.#isPlayer && winner === this.#youIndex);
    this.#outcome = {
      text: this.#resultWords(winner, reason, scores),
      detail: this.#resultDetail(winner, reason),
    };
    this.#enter("result");
  }

  #resultWords(winner, reason, scores) {
    if (reason === "abandoned") return "No winner";
    if (reason === "void") return "Void: the game has failed";
    const isPlayedOut = this.#game === "pong" && reason === "timeup";
    const [s1, s2] = scores;
    const [yours, theirs] = this.#youIndex === 0 ? [s1, s2] : [s2, s1];
    const count = isPlayedOut ? `, ${yours} to ${theirs}` : "";
    if (winner === null) return `A draw${count}`;
    if (!this.#isPlayer) return `${this.#players[winner]?.name} won${count}`;
    return `You ${winner === this.#youIndex ? "won" : "lost"}${count}`;
  }

  #resultDetail(winner, reason) {
    const loser = this.#players[1 - winner];
    const isMine = this.#isPlayer && loser?.id === this.#me?.id;
    if (winner === null || isMine) return "";
    if (reason === "left") return `${loser?.name} left the match.`;
    if (reason === "turn_timeout") return `${loser?.name} took too long.`;
    if (reason === "forfeit") return `${loser?.name} did not come back in time.`;
    return "";
  }

  #press(direction, pressed) {
    this.#send({
      type: "game:move",
      roomId: this.#roomId,
      direction: KEYS[this.#youIndex][direction],
      action: pressed ? "down" : "up",
    });
  }

  #drop(column) {
    this.#act({ type: "game:move", roomId: this.#roomId, move: { column } });
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
    const plays = this.#isPlayer && this.#game === "pong";
    this.#controls.setMode((plays && MODES[phase]) || "off");
    this.#render();
    if (!isNew || document.activeElement === byId("chat-text")) return;
    if (phase === "ready") byId("start").focus({ preventScroll: true });
    if (phase === "result")
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
    const view = byId("view-game");
    view.dataset.game = this.#game;
    view.dataset.role = this.#isPlayer ? "player" : "spectator";
    byId("field").hidden = this.#game !== "pong";
    byId("board").hidden = this.#game === "pong";
    byId("stage").dataset.phase = phase;
    byId("overlay").hidden = phase === "playing" || phase === "idle";
    setText(byId("result"), isOver ? this.#outcome.text : "");
    byId("result").hidden = !isOver || !this.#outcome.text;
    setText(byId("overlay-title"), title);
    byId("overlay-title").hidden = !title;
    setText(byId("overlay-text"), text);
    byId("overlay-text").hidden = !text;
    setText(byId("overlay-count"), count);
    byId("overlay-count").hidden = !count;
    byId("start").hidden = phase !== "ready";
    byId("again").hidden = !(isOver && this.#canPlayAgain);
    this.#renderBoard();
    this.#placeLeave(isOver || (phase === "starting" && this.#isRematch));
  }

  #renderBoard() {
    const isLive = this.#game === "connect_four" && this.#phase === "playing";
    this.#board.play({
      youIndex: this.#youIndex,
      names: this.#players.map(({ name }) => name),
      canDrop: isLive && this.#isMyTurn,
    });
    const { turn } = this.#board.state;
    const whose = this.#isMyTurn ? "Your turn" : `${this.#players[turn]?.name}’s turn`;
    setText(byId("turn"), isLive && turn !== null ? whose : "");
    byId("turn").classList.toggle("you", this.#isMyTurn);
  }

  /** After the result, the leave button is next to the rematch button; before, in the header. */
  #placeLeave(isOver) {
    const leave = byId("leave");
    const place = byId(isOver ? "overlay-actions" : "leave-place");
    if (leave.parentElement !== place) place.append(leave);
    setText(leave, isOver ? "Back to lobby" : this.#isPlayer ? "Give up" : "Stop watching");
  }

  /** @param {number} leftMs */
  #words(leftMs) {
    const seconds = String(Math.ceil(leftMs / 1000));
    switch (this.#phase) {
      case "joining":
        return { title: "Finding your match…" };
      case "waiting":
        return {
          title: this.#isPlayer
            ? `Waiting for ${this.#opponentName} to sit down…`
            : "Waiting for the match to begin…",
        };
      case "ready":
        return {
          title: GAMES[this.#game],
          text: "Either player may start.",
        };
      case "starting":
        return { title: leftMs ? "Starting…" : `Waiting for ${this.#opponentName}…` };
      case "countdown":
        return { title: "Get ready", count: seconds };
      case "paused": {
        const names = this.#awayNames.join(" and ");
        const title = names ? `${names} lost the connection` : "The match is paused";
        return leftMs
          ? { title, text: "The match waits for them.", count: seconds }
          : { title, text: "Time is up." };
      }
      case "result":
        return { title: this.#outcome.detail || this.#afterwards };
      case "lost":
        return {
          title: "Connection lost",
          text: this.#isPlayer ? "Your seat is kept for a moment." : "",
        };
      default:
        return { title: "" };
    }
  }

  get #afterwards() {
    if (!this.#isPlayer) return "";
    if (!this.#canPlayAgain) return `${this.#opponentName} is gone.`;
    return this.#opponentSeat.ready ? `${this.#opponentName} wants to play again.` : "";
  }
}
