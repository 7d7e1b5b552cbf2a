// What is shown at /room/ID: a match, to play or to watch, and all that stands around it.

import { byId, clone, element, icon, setText } from "../common/dom.js";
import { viewOf } from "../games/register.js";
import { Actions } from "./actions.js";
import { Chat } from "./chat.js";
import { plainWords } from "./notices.js";
import { Series, reasonWords, resultWords } from "./outcome.js";
import { LOW_MS, Scoreboard } from "./scoreboard.js";

/** As in the service, at the start of a match with a clock. */
const START_DELAY_MS = 3000;
/** A start that waits for other players for longer than this says so. */
const BEGIN_PATIENCE_MS = 2000;
const TICK_MS = 100;
const PING_MS = 5000;
/** How many of the newest matches are asked for those of this room. */
const SERIES_MAX = 50;

/** @typedef {import("./outcome.js").User} User */
/** @typedef {"joining" | "password" | "gone" | "waiting" | "ready" | "starting" | "countdown" | "playing"
 *   | "paused" | "lost" | "result"} Phase */

const MESSAGES = /** @type {const} */ ([
  "room:state",
  "room:left",
  "room:closed",
  "game:ready",
  "game:start",
  "game:update",
  "game:timer",
  "game:moved",
  "game:moves",
  "game:paused",
  "game:resumed",
  "game:over",
]);

/**
 * Shows the room.
 * @param {HTMLElement} root
 * @param {any} app
 * @param {{roomId: string}} params
 */
export function mount(root, app, { roomId }) {
  const view = clone("t-room");
  view.hidden = true;
  root.className = "with-side";
  root.replaceChildren(view);
  const page = new RoomPage(app, roomId);
  app.style("/app/play/game.css").then(() => {
    view.hidden = false;
    page.seen();
  });
  page.open();
  return { unmount: () => page.unmount() };
}

class RoomPage {
  #app;
  #roomId;
  /** The room of the client, typed by none of the games. */
  #room;
  #board = new Scoreboard();
  /** Loaded when it is first turned on. @type {import("./sound.js").Sound | null} */ #sound = null;
  #series = new Series();
  /** Of games with moves. @type {import("./moves.js").Moves | null} */ #moves = null;
  #actions;
  #chat;
  /** @type {Phase} */ #phase = "joining";
  /** When the phase ends, as `performance.now()`; 0 if it just lasts. */
  #deadline = 0;
  #timer = 0;
  #isUnmounted = false;

  /** The newest `room:state`. @type {any} */ #state = null;
  /** What the service tells of the game. @type {any} */ #game = null;
  /** @type {import("../games/register.js").View | null} */ #view = null;
  /** @type {import("../games/register.js").Shown | null} */ #shown = null;
  /** Messages that came before the view. @type {any[]} */ #early = [];
  /** @type {User[]} */ #players = [];
  /** @type {number | null} */ #seat = null;
  /** The newest state. @type {any} */ #update = null;
  /** @type {import("./scoreboard.js").Turn} */
  #turn = { turn: null, endsAt: null, totalMs: null, clocks: null };
  #hasWarned = false;
  /** @type {number | null} */ #totalS = null;
  #startedAt = 0;
  #matchId = "";
  /** The match whose earlier moves are listed, or were asked for. */ #completed = "";
  /** @type {string[]} */ #awayNames = [];
  /** @type {import("./outcome.js").Result | null} */ #outcome = null;
  /** Why the room is not shown. */ #problem = "";

  constructor(app, roomId) {
    this.#app = app;
    this.#roomId = roomId;
    this.#room = app.client.room(roomId);
    this.#chat = new Chat({
      title: "Chat",
      say: (text) => app.act({ type: "chat:send", roomId, text }),
      sideOf: (id) => this.#sideOf(id),
    });
    byId("room-side").append(this.#chat.root);
    this.#actions = new Actions({
      hasSound: localStorage.getItem("sound") === "on",
      toggleSound: () => this.#toggleSound(),
      toast: app.toast,
      begin: () => this.#begin(),
      leave: () => this.#leave(),
      sit: () => this.#join("player"),
      addBot: (level) => app.act({ type: "room:addBot", roomId, level }),
      enter: (password) => this.#join("spectator", password),
    });
  }

  // Coming and going

  async open() {
    const { client } = this.#app;
    for (const type of MESSAGES) this.#app.on(type, (message) => this.#received(message));
    this.#app.on("chat:history", (message) => {
      if (this.#isHere(message)) this.#chat.history(message.messages);
    });
    this.#app.on("chat:message", (message) => this.#isHere(message) && this.#chat.said(message));
    this.#app.on("status", (status) => this.#connection(status));
    this.#app.every(PING_MS, () => this.#ping());
    if (localStorage.getItem("sound") === "on") this.#loadSound();
    this.#enter("joining");
    await client.connect().catch(() => {});
    if (this.#isUnmounted) return;
    this.#ping();
    const isMine = client.session?.roomId === this.#roomId || this.#room.seat !== null;
    await this.#join(isMine ? "player" : "spectator");
    // A state that the client has already, as after creating the room, is not told again.
    const known = client.rooms.get(this.#roomId);
    if (known && !this.#state && !this.#isUnmounted) this.#takeState(known);
  }

  /** The room can be seen from now on: before, nothing in it could have the focus. */
  seen() {
    if (!this.#isUnmounted) this.#actions.focus(this.#phase);
  }

  unmount() {
    this.#isUnmounted = true;
    clearInterval(this.#timer);
    this.#shown?.unmount();
    this.#actions.unmount();
    // A seat in a match, or in a room that waits for others, is kept.
    const keepsSeat = this.#seat !== null && this.#phase !== "result";
    if (this.#state && !keepsSeat)
      this.#app.request({ type: "room:leave", roomId: this.#roomId }).catch(() => {});
  }

  /** @param {"player" | "spectator"} role @param {string} [password] */
  async #join(role, password) {
    try {
      await this.#app.request({ type: "room:join", roomId: this.#roomId, role, password });
    } catch (error) {
      if (!this.#isUnmounted) this.#refused(error);
    }
  }

  #refused(error) {
    if (this.#state) return this.#app.failed(error);
    const { code, message } = error;
    if (code === "WRONG_PASSWORD") {
      // The first time nobody has given one.
      this.#problem = this.#phase === "password" ? plainWords(error) : "";
      return this.#enter("password");
    }
    const words = { ROOM_NOT_FOUND: "This room is closed.", BAD_MESSAGE: "There is no such room." };
    this.#problem = words[code] ?? message;
    this.#enter("gone");
  }

  /** Leaves for good; a player of a live match has confirmed that they give it up. */
  async #leave() {
    const isHere = this.#state !== null;
    this.#state = null;
    if (isHere) await this.#app.act({ type: "room:leave", roomId: this.#roomId });
    this.#app.go("/");
  }

  async #loadSound() {
    const { Sound } = await import("./sound.js");
    return (this.#sound ??= new Sound());
  }

  /** Turns the sound on or off; returns whether it is on. */
  async #toggleSound() {
    return (await this.#loadSound()).toggle();
  }

  async #ping() {
    if (this.#app.client.status.state !== "online") return;
    const ms = await this.#app.client.ping().catch(() => null);
    if (ms !== null && !this.#isUnmounted) this.#board.pingMs = ms;
  }

  /** @param {{state: string}} status */
  #connection({ state }) {
    if (state === "online" || this.#isUnmounted) return;
    if (!["joining", "password", "gone", "result"].includes(this.#phase)) this.#enter("lost");
  }

  // Messages

  #isHere({ roomId }) {
    return roomId === this.#roomId;
  }

  #received(message) {
    if (!this.#isHere(message)) return;
    if (message.type === "room:state") this.#takeState(message);
    else if (message.type === "room:left") this.#left(message);
    else if (message.type === "room:closed") this.#closed();
    else if (this.#shown) this.#ofMatch(message);
    else this.#early.push(message);
  }

  #takeState(state) {
    const isFirst = this.#state === null;
    this.#state = state;
    this.#showWatching(state);
    if (isFirst) this.#loadView(state.game);
    const seated = state.seats.flatMap(({ user }) => user ?? []);
    this.#board.away = state.seats.flatMap(({ away }, seat) => (away ? seat : []));
    // The name of a player who left after the result stays beside their score.
    if (!this.#outcome || seated.length >= this.#players.length) this.#seatPlayers(seated);
    const phase = this.#phaseOf(state);
    const replaces = ["joining", "password", "waiting", "ready", "starting", "lost"];
    if (phase && replaces.includes(this.#phase) && this.#phase !== phase) {
      if (this.#phase !== "starting") this.#enter(phase);
    } else this.#render();
  }

  /** @param {{spectators: number, watching: User[]}} state */
  #showWatching({ spectators, watching }) {
    const { note } = this.#chat;
    const names = watching.map(({ name }) => name).join(", ");
    note.id = "watching";
    note.title = spectators > watching.length ? `${names}, …` : names;
    setText(note, spectators ? `${spectators} watching` : "");
  }

  async #loadView(name) {
    const game = await this.#gameOf(name);
    const view = await viewOf(name, game.page);
    if (this.#isUnmounted) return;
    this.#game = game;
    this.#view = view;
    this.#board.layout = view.layout ?? "turns";
    byId("stage").style.setProperty("--ratio", String(view.ratio ?? ""));
    byId("stage").classList.toggle("free", !view.ratio);
    byId("match").style.setProperty("--ratio", String(view.ratio ?? 1.5));
    if (view.layout !== "score") await this.#app.style("/app/play/turns.css");
    if (this.#isUnmounted) return;
    if (view.notation) {
      const { Moves } = await import("./moves.js");
      this.#moves = new Moves(view);
    }
    const shown = await view.mount(byId("stage"), this.#context());
    if (this.#isUnmounted) return shown.unmount();
    this.#shown = shown;
    shown.phase?.(this.#phase);
    for (const message of this.#early.splice(0)) this.#ofMatch(message);
    this.#loadSeries();
    this.#render();
  }

  /** What the service tells of a game; of a game that was not listed yet it is asked. */
  async #gameOf(name) {
    const known = this.#app.gameOf(name);
    if (known.bots !== undefined) return known;
    const listed = await this.#app.api("/games").catch(() => null);
    return listed?.games.find((game) => game.name === name) ?? known;
  }

  /** What a view may know and do. */
  #context() {
    const page = this;
    const [app, roomId] = [this.#app, this.#roomId];
    return {
      get seat() {
        return page.#seat;
      },
      get you() {
        return page.#you;
      },
      get players() {
        return page.#players;
      },
      get options() {
        return page.#state?.options ?? {};
      },
      controls: byId("controls"),
      move: (move) => app.act({ type: "game:move", roomId, move }),
      press: (move) => app.client.send({ type: "game:move", roomId, move }),
      legalMoves: () => page.#legalMoves(),
      announce: (text) => setText(byId("announce"), text),
      sound: (name) => page.#sound?.play(name),
    };
  }

  async #legalMoves() {
    const path = `/matches/${encodeURIComponent(this.#matchId)}/legal-moves`;
    return (await this.#app.api(path).catch(() => null))?.moves ?? [];
  }

  /** The earlier matches of this room. */
  async #loadSeries() {
    const id = this.#players[0]?.id;
    if (id === undefined) return;
    const query = new URLSearchParams({ user: String(id), limit: String(SERIES_MAX) });
    const page = await this.#app.api(`/matches?${query}`).catch(() => null);
    for (const match of page?.matches ?? []) {
      if (match.roomId !== this.#roomId || match.endedAt === null) continue;
      if (!["void", "abandoned"].includes(match.reason)) {
        this.#series.add(match.matchId, match.players, match.winner);
      }
    }
    this.#render();
  }

  #ofMatch(message) {
    switch (message.type) {
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
        this.#board.clock(message.remaining, this.#totalS);
        break;
      case "game:moved":
        this.#moved(message);
        break;
      case "game:moves":
        for (const move of message.moves) this.#moved({ ...move, isPast: true });
        break;
      case "game:paused":
        this.#paused(message);
        break;
      case "game:resumed":
        this.#takeTurn(message);
        this.#enter("countdown", message.startsInMs);
        break;
      case "game:over":
        this.#ended(message);
        break;
    }
  }

  #left({ userId, reason }) {
    const isMe = userId === this.#app.client.user?.id;
    // After a disconnect the client joins again by itself.
    if (isMe && reason !== "offline") {
      if (this.#outcome) return;
      this.#problem =
        reason === "kicked" ? "You were removed from this room." : "You left this room.";
      if (reason === "forfeited") this.#problem = "You did not come back in time.";
      this.#state = null;
      this.#enter("gone");
    } else if (this.#state) {
      const seats = this.#state.seats.map((seat) =>
        seat.user?.id === userId ? { ...seat, user: null, ready: false } : seat,
      );
      this.#state = { ...this.#state, seats };
      this.#render();
    }
  }

  /** A result stays visible. */
  #closed() {
    this.#state = null;
    if (this.#outcome) return this.#render();
    this.#problem = "This room is closed.";
    this.#enter("gone");
  }

  #started({ matchId, duration, playerIndex, players }) {
    const isNew = matchId !== this.#matchId;
    this.#matchId = matchId;
    this.#outcome = null;
    this.#seatPlayers(players, playerIndex);
    if (isNew) {
      this.#startedAt = performance.now();
      this.#shown?.reset?.();
      this.#moves?.reset();
      this.#board.scores = players.map(() => 0);
      this.#turn = { turn: null, endsAt: null, totalMs: null, clocks: null };
    }
    this.#totalS = this.#state?.options.duration_s ?? duration;
    this.#board.clock(duration, this.#totalS);
    // When rejoining a match, a pause that was announced first is kept.
    if (this.#phase === "paused" || this.#phase === "countdown") return this.#render();
    if (duration !== null && isNew) this.#enter("countdown", START_DELAY_MS);
    else this.#enter("playing");
  }

  #updated(update) {
    if (this.#phase === "result") return;
    const before = this.#update?.state;
    this.#update = update;
    const { state } = update;
    this.#shown?.update(update);
    this.#completeMoves(update.tick);
    if (this.#view?.layout === "score") {
      this.#board.scores = [state.s1, state.s2];
      // A spectator or tab that joins a running match has no countdown.
      const isMoving = before && state.ballX !== undefined && before.ballX !== state.ballX;
      if (isMoving && before.ballX !== undefined && this.#phase === "countdown")
        this.#enter("playing");
    }
    this.#takeTurn(update);
    this.#render();
  }

  /** Asks once for the moves that were made before this page was there. @param {number} tick */
  #completeMoves(tick) {
    if (!this.#moves || this.#completed === this.#matchId) return;
    this.#completed = this.#matchId;
    const isMissing = this.#view?.notation && this.#moves.count < tick;
    if (isMissing)
      this.#app.request({ type: "game:history", roomId: this.#roomId }).catch(() => {});
  }

  /** @param {{turnEndsInMs?: number, clocksMs?: number[]}} message */
  #takeTurn({ turnEndsInMs, clocksMs }) {
    const now = performance.now();
    const state = this.#update?.state;
    const turn = state ? (this.#view?.turn?.(state) ?? state.turn ?? null) : null;
    const options = this.#state?.options ?? {};
    if (turn !== this.#turn.turn) {
      this.#hasWarned = false;
      if (turn === this.#seat && turn !== null && this.#phase === "playing")
        this.#sound?.play("turn");
    }
    this.#turn = {
      turn,
      endsAt: turnEndsInMs === undefined ? null : now + turnEndsInMs,
      totalMs:
        turnEndsInMs === undefined ? null : Math.max(1000 * (options.turn_s ?? 0), turnEndsInMs),
      clocks: clocksMs?.length ? { at: now, leftMs: clocksMs } : null,
    };
  }

  #moved(moved) {
    const { seat, input, isPast } = moved;
    this.#shown?.moved?.(moved);
    this.#moves?.add(moved, this.#sideOfSeat(seat));
    if (isPast || seat === this.#seat) return;
    const name = this.#players[seat]?.name ?? "The other player";
    setText(byId("announce"), this.#view?.said?.(input, name) ?? `${name} moved.`);
  }

  #paused({ away, graceMs, turnLeftMs, turnEndsInMs = turnLeftMs, clocksMs }) {
    const me = this.#app.client.user?.id;
    const names = this.#players.filter(({ id }) => away.includes(id) && id !== me);
    this.#awayNames = names.map(({ name }) => name);
    this.#takeTurn({ turnEndsInMs, clocksMs });
    this.#enter("paused", graceMs);
  }

  #ended({ matchId, reason, winner, scores, message }) {
    this.#board.scores = scores;
    this.#matchId = matchId;
    this.#outcome = { reason, winner, scores, message };
    if (reason !== "void" && reason !== "abandoned") {
      this.#series.add(matchId, this.#players, winner);
    }
    if (this.#seat !== null) this.#sound?.play("point");
    this.#enter("result");
  }

  // Who is who

  /** Spectators see the first seat in amber. */
  get #you() {
    return this.#seat ?? 0;
  }

  /** @param {number} seat */
  #sideOfSeat(seat) {
    return seat === this.#you ? "you" : "other";
  }

  #sideOf(userId) {
    const seat = this.#players.findIndex(({ id }) => id === userId);
    return seat === -1 ? "" : this.#sideOfSeat(seat);
  }

  #seatPlayers(players, seat = this.#seatOfMe(players)) {
    this.#players = players;
    this.#seat = seat;
    this.#board.seat(players, this.#you, seat);
    this.#shown?.phase?.(this.#phase);
  }

  #seatOfMe(players) {
    const seat = players.findIndex(({ id }) => id === this.#app.client.user?.id);
    return seat === -1 ? null : seat;
  }

  get #others() {
    return this.#players.filter((_, seat) => seat !== this.#seat);
  }

  get #othersWords() {
    const names = this.#others.map(({ name }) => name);
    return names.length ? names.join(" and ") : "another player";
  }

  get #seatsOfOthers() {
    const me = this.#app.client.user?.id;
    return this.#state?.seats.filter(({ user }) => user && user.id !== me) ?? [];
  }

  get #canPlayAgain() {
    const others = this.#seatsOfOthers;
    const isAlone = this.#players.length < 2;
    return (
      this.#seat !== null && (isAlone || others.length > 0) && others.every(({ away }) => !away)
    );
  }

  get #isReady() {
    const me = this.#app.client.user?.id;
    return Boolean(this.#state?.seats.some(({ user, ready }) => ready && user?.id === me));
  }

  // Phases

  /** Shows a room without a live match; a live match has its own messages. */
  #phaseOf({ phase }) {
    if (phase === "playing") return null;
    if (phase === "finished") return this.#outcome ? "result" : "waiting";
    return phase === "ready" && this.#seat !== null ? "ready" : "waiting";
  }

  async #begin() {
    const before = this.#phase;
    this.#enter("starting", BEGIN_PATIENCE_MS);
    const isDone = await this.#app.act({ type: "game:begin", roomId: this.#roomId });
    if (!isDone && this.#phase === "starting") this.#enter(before);
  }

  /** @param {Phase} phase @param {number} [lastsMs] for phases that count down */
  #enter(phase, lastsMs = 0) {
    if (this.#isUnmounted) return;
    const isNew = phase !== this.#phase;
    this.#phase = phase;
    this.#deadline = lastsMs ? performance.now() + lastsMs : 0;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#shown?.phase?.(phase);
    this.#render();
    if (isNew) this.#actions.focus(phase);
  }

  #tick() {
    if (this.#phase === "countdown" && performance.now() >= this.#deadline) this.#enter("playing");
    else this.#renderTimes();
  }

  // Rendering

  #render() {
    const phase = this.#phase;
    const isPlayer = this.#seat !== null;
    const view = byId("match");
    view.dataset.role = isPlayer ? "player" : "spectator";
    view.dataset.game = this.#state?.game ?? view.dataset.game ?? "";
    byId("stage").dataset.phase = phase;
    // Who is not in the room can't talk there.
    byId("room-side").hidden = phase === "gone" || phase === "password";
    const title = this.#game?.title ?? "Match";
    const names = this.#players.map(({ name }) => name).join(" against ");
    setText(byId("game-title"), names ? `${title}, ${names}` : title);
    this.#app.title = names ? `${names} · ${title}` : title;
    this.#renderTimes();
    this.#renderOutcome();
    this.#actions.render({
      phase,
      isPlayer,
      canStart: phase === "ready" && isPlayer,
      canSit: this.#canSit,
      canPlayAgain: phase === "result" && this.#canPlayAgain && !this.#isReady,
      bots: this.#botLevels,
      matchId: this.#matchId,
      others: this.#othersWords,
      keys: (isPlayer && this.#view?.keys) || [],
    });
  }

  get #canSit() {
    const { phase, seats } = this.#state ?? { phase: "playing", seats: [] };
    return this.#seat === null && phase !== "playing" && seats.some(({ user }) => !user);
  }

  /** The levels of bots that this user may add. */
  get #botLevels() {
    const isHost = this.#state?.host === this.#app.client.user?.id;
    const isFree = this.#state?.seats.some(({ user }) => !user);
    return this.#phase === "waiting" && isHost && isFree ? (this.#game?.bots ?? 0) : 0;
  }

  #renderTimes() {
    const phase = this.#phase;
    const leftMs = this.#deadline ? Math.max(0, this.#deadline - performance.now()) : 0;
    const { title, text = "", count = "" } = this.#words(leftMs);
    byId("overlay").hidden = phase === "playing" || phase === "result";
    setText(byId("overlay-title"), title);
    byId("overlay-title").hidden = !title;
    setText(byId("overlay-text"), text);
    setText(byId("overlay-count"), count);
    byId("overlay-count").hidden = !count;
    this.#renderTurn();
  }

  #renderTurn() {
    const { turn, endsAt, totalMs } = this.#turn;
    const isLive = this.#phase === "playing";
    if (this.#view?.layout !== "score" && (isLive || this.#phase === "result")) {
      this.#board.turn(isLive ? this.#turn : { ...this.#turn, turn: null, endsAt: null }, isLive);
    }
    const isMine = turn !== null && turn === this.#seat;
    const leftMs = endsAt === null ? Infinity : endsAt - performance.now();
    if (isLive && isMine && (totalMs ?? 0) > LOW_MS && leftMs <= LOW_MS && !this.#hasWarned) {
      this.#hasWarned = true;
      setText(byId("announce"), `${Math.round(LOW_MS / 1000)} seconds left.`);
    }
    const whose = isMine ? "Your turn" : `${this.#players[turn ?? -1]?.name}’s turn`;
    setText(byId("turn"), isLive && turn !== null ? whose : "");
  }

  #renderOutcome() {
    const isOver =
      this.#phase === "result" || (this.#phase === "starting" && this.#outcome !== null);
    byId("outcome").hidden = !isOver;
    if (!isOver || !this.#outcome) return;
    const won = this.#outcome.winner !== null && this.#outcome.winner === this.#seat;
    byId("outcome").classList.toggle("won", won);
    setText(byId("result"), resultWords(this.#outcome, this.#players, this.#seat));
    setText(byId("result-text"), this.#afterwards());
    const series = this.#series.words(this.#players);
    setText(byId("series"), series);
    byId("series").hidden = !series;
  }

  #afterwards() {
    const reason = this.#outcome ? reasonWords(this.#outcome, this.#players, this.#seat) : "";
    if (this.#seat === null) return reason;
    if (this.#phase === "starting" || this.#isReady) return `Waiting for ${this.#othersWords}…`;
    const others = this.#seatsOfOthers;
    if (!this.#canPlayAgain && this.#players.length > 1) {
      return `${reason} ${this.#othersWords} is gone.`.trim();
    }
    const eager = others.find(({ ready }) => ready);
    return eager ? `${eager.user.name} wants to play again.` : reason;
  }

  /** @param {number} leftMs */
  #words(leftMs) {
    const seconds = Math.ceil(leftMs / 1000);
    switch (this.#phase) {
      case "joining":
        return { title: "Opening the room…" };
      case "password":
        return { title: "This room has a password", text: this.#problem };
      case "gone":
        return { title: this.#problem };
      case "waiting":
        return this.#waitingWords();
      case "ready":
        return { title: this.#game?.title ?? "", text: this.#readyWords() };
      case "starting":
        return { title: leftMs ? "Starting…" : `Waiting for ${this.#othersWords}…` };
      case "countdown":
        return { title: "", count: String(Math.max(1, seconds)) };
      case "paused":
        return this.#pausedWords(leftMs);
      case "lost":
        return {
          title: "Connecting again…",
          text: this.#seat === null ? "" : "Your place is kept for a moment.",
        };
      default:
        return { title: "" };
    }
  }

  #waitingWords() {
    if (this.#seat === null) return { title: "Waiting for the match to begin…" };
    const free = this.#state?.seats.filter(({ user }) => !user).length ?? 0;
    if (!free) return { title: `Waiting for ${this.#othersWords} to sit down…` };
    return {
      title: "Waiting for another player…",
      text: "Copy the link below and send it to a friend.",
    };
  }

  #readyWords() {
    if (!this.#state?.host) return "Either player may start.";
    const waits = this.#seatsOfOthers.filter(({ ready }) => !ready).map(({ user }) => user.name);
    if (!this.#isReady) return waits.length ? "" : "All others are ready.";
    return `Waiting for ${waits.join(" and ")}…`;
  }

  /** @param {number} leftMs */
  #pausedWords(leftMs) {
    const names = this.#awayNames.join(" and ");
    const title = names ? `${names} lost the connection` : "The match is paused";
    if (!leftMs) return { title, text: "Time is up." };
    const seconds = Math.ceil(leftMs / 1000);
    const isMine = this.#seat !== null && this.#players.length === 2 && names;
    return {
      title,
      text: `The match waits ${seconds} s more${isMine ? ", then it is yours." : "."}`,
    };
  }
}
