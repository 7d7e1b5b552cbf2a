// The client of ws-service for browsers and Node (22 or newer): it reconnects, resumes, and keeps
// the lists of users and rooms current. docs/protocol.md describes the wire, client.d.ts all types.
//
//     const client = new Client({ url: "wss://play.example.org/", token: fetchToken });
//     client.on("chat:message", ({ from, text }) => console.log(from.name, text));
//     await client.connect();
//     const { roomId } = await client.request({ type: "room:create", game: "connect_four" });

const PROTOCOL = "ws-service.v1";

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 15_000;
/** Shorter with a seat, so that the client is back within the grace period of the seat. */
const RETRY_WITH_SEAT_MAX_MS = 3_000;
/** A connection that held for this long resets the backoff. */
const STABLE_MS = 5_000;

/** Timeout of the callback that returns a token. */
const TOKEN_WITHIN_MS = 10_000;
/** The client gives up after this many fresh tokens were refused in a row. */
const REFUSED_TOKENS_MAX = 6;
/** `connect` replaces an attempt that has received nothing for this long. */
const STUCK_AFTER_MS = 1_000;

const CHECK_EVERY_MS = 1_000;
/** Timeout of the handshake, up to `welcome`. */
const OPEN_WITHIN_MS = 10_000;
/** The connection is considered lost after this many heartbeat intervals without a message. */
const HEARTBEATS_MISSED_MAX = 2.5;

const ANSWER_WITHIN_MS = 30_000;
/** The service keeps command ids for five minutes; a later retry could run a command twice. */
const ANSWER_WITHIN_MS_MAX = 240_000;
/** No retry after this many newer commands: the service keeps the last 500 ids of a user. */
const NEWER_COMMANDS_MAX = 400;
/** Limit of sent commands without a reply. */
const IN_FLIGHT_MAX = 100;
/** How many commands are remembered after their caller has given up waiting. */
const LATE_MAX = 500;
const RATE_LIMITED_WAIT_MS = 1_000;
/** Shares of the service's limits that are used, since both clocks differ a little. */
const RATE_SHARE = 0.9;
const BURST_SHARE = 0.5;
/** A message costs one unit more for each of these; commands cost more, since they are logged. */
const COMMAND_BYTES_PER_UNIT = 512;
const BYTES_PER_UNIT = 4096;
/** Types with a rate limit of their own: later commands in the same room wait for their reply. */
const LIMITED_TYPES = new Set(["chat:send", "room:join"]);
/** Events of the client itself; a message of the service with such a type is only a `message`. */
const OWN_EVENTS = new Set(["message", "status", "users", "rooms"]);

/** Why a connection was lost in a test. */
const CUT = "The connection was cut, as wanted";

const CODE_NORMAL = 1000;
const CODE_ABNORMAL = 1006;
/** Close code when the service is silent: not a clean close, since this client will reconnect. */
const CODE_SILENT = 4000;
const CODE_BAD_TOKEN = 1008;
const CODE_TOKEN_EXPIRED = 4005;
/** Revoked, or too many sockets: the client must not reconnect by itself. */
const FINAL_CODES = new Set([4503, 4504]);

/** The frame rate of a service that says none. */
const FRAME_HZ = 60;

const ENCODER = new TextEncoder();

/** Characters that are allowed in a subprotocol, as in every JWT. */
const TOKEN = /^[\w.-]+$/;

/** The service answered the command with an error: it was not carried out. */
export class Refused extends Error {
  name = "Refused";

  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** There was no answer in time: the command may have been carried out or not. */
export class NoAnswer extends Error {
  name = "NoAnswer";
}

/** The client is closed for good; `code` and `reason` are those of the last socket. */
export class Closed extends Error {
  name = "Closed";

  constructor(code, reason) {
    super(reason ? `closed with ${code}: ${reason}` : `closed with ${code}`);
    this.code = code;
    this.reason = reason;
  }
}

/**
 * Returns the wait before an attempt: exponential backoff with full jitter, so that the clients of
 * a restarted service do not all reconnect at once. The first attempt after a loss is `attempt` 0.
 */
function retryDelayMs(attempt, maxMs) {
  return Math.random() * Math.min(maxMs, RETRY_FIRST_MS * 2 ** attempt);
}

/**
 * Measures time by the wall clock and the monotonic clock: the former may be set, the latter may
 * stop while the machine sleeps.
 */
class Stopwatch {
  #wall = Date.now();
  #steady = performance.now();

  /** Milliseconds since the start, by the monotonic clock. */
  get steadyMs() {
    return performance.now() - this.#steady;
  }

  /** Milliseconds since the start: the larger value of both clocks. */
  get ms() {
    return Math.max(Date.now() - this.#wall, this.steadyMs);
  }
}

/** Resolves as `promise` does, or rejects after `ms`. */
async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ignores the last events of a socket. */
function detach(socket) {
  socket.onmessage = socket.onclose = null;
  // A socket of the package `ws` throws an error that has no listener.
  socket.onerror = () => {};
}

/** Whether these messages of a new connection are all that it missed, or all that stands. */
function isResumed(messages) {
  const [{ features }] = messages;
  const has = (type) => messages.some((message) => message.type === type);
  if (has("resync") && features?.includes("greeted")) return has("greeted");
  return has("resync") || has("resumed");
}

/** Whether a message is not one of the log up to `position`. */
function isAfter(message, position) {
  return ["welcome", "ack"].includes(message.type) || !(message.position <= position);
}

/** @param {any} error whatever was thrown */
function messageOf(error) {
  return String(error?.message ?? error);
}

function warn(text) {
  console.warn(`ws-service-client: ${text}`);
}

/** A token bucket that keeps the client below the rate limits of the service. */
class RateLimiter {
  #perMs = Infinity;
  #burst = Infinity;
  #tokens = Infinity;
  #wanted = 1;
  #watch = new Stopwatch();

  limit({ messagesPerS, messagesBurst }) {
    this.#perMs = (RATE_SHARE * messagesPerS) / 1000;
    this.#burst = Math.max(1, BURST_SHARE * messagesBurst);
    this.#tokens = Math.min(this.#tokens, this.#burst);
  }

  /** Takes units from the bucket; false, and takes none, if there are too few. */
  take(units) {
    this.#tokens = Math.min(this.#burst, this.#tokens + this.#watch.steadyMs * this.#perMs);
    this.#watch = new Stopwatch();
    this.#wanted = Math.min(units, this.#burst);
    if (this.#tokens < this.#wanted) return false;
    this.#tokens -= this.#wanted;
    return true;
  }

  /** Time until the last `take` that failed would succeed. */
  get waitMs() {
    return Math.max(1, Math.ceil((this.#wanted - this.#tokens) / this.#perMs));
  }
}

/** An async iterator over messages: a queue of messages, or of readers that wait for one. */
class Messages {
  #queue = [];
  #waiters = [];
  #isOver = false;
  #unsubscribe;

  /** `subscribe` gets this iterator, and returns a function that ends the subscription. */
  constructor(subscribe) {
    this.#unsubscribe = subscribe(this);
  }

  push(message) {
    const wake = this.#waiters.shift();
    if (wake) wake({ value: message, done: false });
    else this.#queue.push(message);
  }

  /** Ends the iterator; queued messages can still be taken. */
  end() {
    this.#isOver = true;
    this.#unsubscribe?.();
    for (const wake of this.#waiters.splice(0)) wake({ value: undefined, done: true });
  }

  next() {
    if (this.#queue.length) return Promise.resolve({ value: this.#queue.shift(), done: false });
    if (this.#isOver) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  return(value) {
    this.#queue = [];
    this.end();
    return Promise.resolve({ value, done: true });
  }

  throw(error) {
    this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

/** Validates a cursor that the application stored, such as before a reload. */
function keptCursor({ position, epoch }) {
  if (!Number.isSafeInteger(position) || position < 0 || typeof epoch !== "string") {
    throw new TypeError("cursor is what the client had as its `cursor`");
  }
  return { position, epoch };
}

/** A command without a reply. */
class PendingCommand {
  age = new Stopwatch();
  timeoutMs = Infinity;
  timer;
  /** @type {(answer?: any) => void} */ resolve = () => {};
  /** @type {(error: unknown) => void} */ reject = () => {};
  /** Whether it was sent on the current connection. */
  isSent = false;
  /** Its number among the commands of this client, once it was sent. */
  number = undefined;

  constructor(command, frame) {
    this.command = command;
    this.frame = frame;
  }

  /** Its target, a room or a user; commands for one target are sent in order. */
  get place() {
    const { roomId, to } = this.command;
    return roomId ?? (to === undefined ? "" : `to ${to}`);
  }

  /** Its cost in the rate limit. */
  get units() {
    return 1 + Math.floor(this.frame.length / COMMAND_BYTES_PER_UNIT);
  }

  /** Whether the service may rate-limit it while it accepts later commands. */
  get isLimited() {
    return LIMITED_TYPES.has(this.command.type);
  }
}

/** The users who are online: a snapshot, and the changes since. */
class Users {
  #entries = new Map();
  /** The version of the list; null until the next snapshot. */
  /** @type {any} */ #v = null;

  get entries() {
    return this.#entries;
  }

  replace({ users, v }) {
    this.#entries = new Map(users.map((user) => [user.id, user]));
    this.#v = v;
  }

  /** Applies a `user:diff`; returns false if one is missing, so that a snapshot is needed. */
  apply({ v, joins, leaves, updates }) {
    if (this.#v === null || v <= this.#v) return true;
    if (v !== this.#v + 1) {
      this.#v = null;
      return false;
    }
    for (const id of leaves) this.#entries.delete(id);
    for (const user of [...joins, ...updates]) this.#entries.set(user.id, user);
    this.#v = v;
    return true;
  }
}

/** The rooms of this client: their states, and the commands that join them again. */
class Rooms {
  #states = new Map();
  /** The versions received on this connection; after a restart they may begin anew. */
  #versions = new Map();
  #joins = new Map();
  /** The room where this user has a seat, according to the service. */
  /** @type {any} */ #seat = null;

  get states() {
    return this.#states;
  }

  /** The commands that join each room again, on the next connection. */
  get joins() {
    return this.#joins;
  }

  connected() {
    this.#versions.clear();
  }

  /** Whether a match may wait for this client. */
  get hasSeat() {
    return (
      this.#seat !== null || [...this.#joins.values()].some(({ role }) => role !== "spectator")
    );
  }

  seatedIn(roomId) {
    this.#seat = roomId;
  }

  /** Applies a `room:state`; returns whether it is newer than the known one. */
  apply(state) {
    const { roomId, v } = state;
    if (v <= this.#versions.get(roomId)) return false;
    this.#versions.set(roomId, v);
    this.#states.set(roomId, state);
    return true;
  }

  /** Updates the rooms by an answered command, which may have joined or left one. */
  answered(command, { roomId = command.roomId }) {
    const { type, role = "player", password } = command;
    if (type === "room:create" || type === "room:join") {
      this.#joins.set(roomId, { type: "room:join", roomId, role, password });
    } else if (type === "game:join") {
      this.#joins.set(roomId, { type, roomId });
    } else if (type === "room:leave" || type === "game:leave") {
      this.forget(roomId);
    }
  }

  forget(roomId) {
    this.#states.delete(roomId);
    this.#joins.delete(roomId);
    if (this.#seat === roomId) this.#seat = null;
  }

  /** Drops rooms whose seats were lost; taking one again is the user's decision. */
  forgetSeats() {
    this.#seat = null;
    for (const [roomId, { role }] of this.#joins) if (role !== "spectator") this.forget(roomId);
  }

  forgetStates() {
    this.#states.clear();
  }
}

export class Client {
  #url;
  #askToken;
  #WebSocket;
  #attemptsMax;
  /** The frame rate that each connection asks for, if any. */
  #frameHzWanted;
  /** The one that the service has granted. */
  #frameHz = FRAME_HZ;

  /** The listeners by type, each with whether it is called once. */
  #listeners = new Map();
  /** Queued events, so that each listener gets them in order. */
  #events = [];
  #isEmitting = false;
  /** Callbacks that run when the client is closed. */
  #endings = new Set();
  /** The number of closes; events from before a close are not emitted after it. */
  #life = 0;
  #status = { state: "idle" };
  /** Pending calls of `connect`. */
  #waiters = [];
  /** @type {any} */ #socket = null;
  /** Counts the attempts to open a socket, so that a token that arrives late opens none. */
  #opening = 0;
  #attempt = 0;
  #retryTimer;
  /** The end of a simulated cut. */
  #cutEndsAt = 0;
  #checkTimer;
  /** Since the last message of this socket, or since it was created. */
  #silence = new Stopwatch();
  /** The number of checks since then: timers do not run before messages that are queued. */
  #checksSinceReceived = 0;
  #isSuspect = false;
  #isProbed = false;
  /** Since the welcome of this connection. */
  /** @type {any} */ #welcomed = null;
  /** The bound of the next wait, sent by a stopping service in `server:draining`. */
  /** @type {any} */ #drainMs = null;
  /** The socket that takes over from one that is about to be closed. */
  /** @type {any} */ #successor = null;
  #successorTimer;
  /** The newest state of each room. */
  #shown = new Map();

  /** @type {any} */ #token = null;
  /** Whether the token was fetched for this connection. */
  #tokenIsFresh = false;
  #tokenWasRefused = false;
  #refusals = 0;
  /** @type {any} */ #welcome = null;
  /** @type {any} */ #session = null;
  /** The cursor: the highest position that was processed, and the epoch of the log. */
  /** @type {any} */ #cursor = null;
  /** Whether this connection resumes. */
  #resumes = false;
  /** Buffers the greeting until it is complete; no part of it is emitted before. */
  /** @type {any} */ #held = null;
  #users = new Users();
  #rooms = new Rooms();

  /** Commands without a reply, by id, in the order of the calls. */
  #pending = new Map();
  /** The rooms that this connection rejoins, by the id of the command. */
  #rejoins = new Map();
  /** Commands whose caller has given up waiting, by id; a reply may still arrive. */
  #late = new Map();
  /** The last page of rooms, which has no id; its ack follows. */
  /** @type {any} */ #page = null;
  #rateLimiter = new RateLimiter();
  #rateLimiterTimer;
  /** @type {any} */ #pauseTimer = null;
  /** Rate-limited targets: each of their commands waits for the previous one. */
  #slowPlaces = new Set();
  /** Number of commands sent, without resends. */
  #sentCount = 0;
  /** The prefix of command ids, unique to this client, also after a reload of the page. */
  #idPrefix = [...crypto.getRandomValues(new Uint8Array(12))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  #idCount = 0;

  constructor({
    url,
    token,
    WebSocket = globalThis.WebSocket,
    attemptsMax = Infinity,
    cursor = null,
    frameHz,
  }) {
    if (!WebSocket) throw new TypeError("there is no global WebSocket here: give one as an option");
    this.#url = new URL(url, globalThis.location?.href);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#askToken = token;
    this.#WebSocket = WebSocket;
    this.#attemptsMax = attemptsMax;
    if (cursor) this.#cursor = keptCursor(cursor);
    this.#frameHzWanted = frameHz;
  }

  get status() {
    return this.#status;
  }

  get user() {
    return this.#welcome?.user ?? null;
  }

  get sessionId() {
    return this.#welcome?.sessionId ?? null;
  }

  get limits() {
    return this.#welcome?.limits ?? null;
  }

  get frameHz() {
    return this.#frameHz;
  }

  get session() {
    return this.#session;
  }

  get cursor() {
    return this.#cursor && { ...this.#cursor };
  }

  get users() {
    return this.#users.entries;
  }

  get rooms() {
    return this.#rooms.states;
  }

  /** Connects now, without any pending wait; resolves when the client is online. */
  connect() {
    if (this.#status.state === "online") return Promise.resolve(this.#welcome);
    const online = new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
    // A caller that ignores the promise gets the end by `status`.
    online.catch(() => {});
    if (this.#status.state !== "connecting") {
      this.#attempt = 0;
      this.#refusals = 0;
      this.#open();
    } else if (this.#isStuck) {
      this.#open();
    }
    return online;
  }

  /** Whether the current attempt may be replaced by another one. */
  get #isStuck() {
    return this.#socket === null || this.#silence.ms >= STUCK_AFTER_MS;
  }

  /** Closes the client; `connect` starts anew. */
  close() {
    if (this.#status.state === "closed") return;
    const socket = this.#dropSocket();
    this.#end(CODE_NORMAL, "");
    socket?.close(CODE_NORMAL);
  }

  /** Sends a message once, if possible now; for keys and signals, which are of no use later. */
  send(message) {
    const frame = this.#frame(message);
    const units = 1 + Math.floor(frame.length / BYTES_PER_UNIT);
    if (this.#status.state !== "online" || !this.#rateLimiter.take(units)) return false;
    this.#transmit(frame);
    return true;
  }

  /**
   * Carries out a command at most once, and resolves with its ack. It is sent again with the same
   * id after each reconnect until it is answered.
   */
  request(command, { timeoutMs = ANSWER_WITHIN_MS } = {}) {
    if (!(timeoutMs > 0 && timeoutMs <= ANSWER_WITHIN_MS_MAX)) {
      throw new RangeError(`timeoutMs is more than 0 and at most ${ANSWER_WITHIN_MS_MAX}`);
    }
    const id = this.#newId();
    return new Promise((resolve, reject) => {
      if (this.#status.state === "closed") {
        reject(new Closed(this.#status.code, this.#status.reason));
        return;
      }
      const request = new PendingCommand({ ...command }, this.#frame({ ...command, id }));
      request.timeoutMs = timeoutMs;
      request.resolve = resolve;
      request.reject = reject;
      request.timer = setTimeout(() => {
        this.#noAnswer(id);
        this.#sendPending();
      }, timeoutMs);
      this.#pending.set(id, request);
      this.#sendPending();
    });
  }

  /** A room as an object, whether this client is in it or not. */
  room(roomId) {
    return new Room(this, roomId);
  }

  /** Creates a room, with this user in its first seat. */
  async createRoom(options) {
    const { roomId } = await this.request({ type: "room:create", ...options });
    return this.room(roomId);
  }

  /** Measures how long a message to the service and its answer take, in milliseconds. */
  async ping() {
    const watch = new Stopwatch();
    await this.request({ type: "ping" });
    return watch.steadyMs;
  }

  /**
   * Breaks the connection as a lost network does, for tests and demonstrations; for `forMs` from now on
   * every attempt to connect again fails.
   */
  simulateCut({ forMs = 0 } = {}) {
    this.#cutEndsAt = performance.now() + forMs;
    if (!this.#socket) return;
    this.#socket.close(CODE_SILENT);
    this.#lost(CODE_ABNORMAL, CUT);
  }

  /** Calls `listener` for every event of a type; returns a function that removes it. */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? [];
    for (const entry of listeners)
      if (entry.call === listener) return () => listeners.delete(entry);
    return this.#listen(type, listener, listener);
  }

  off(type, listener) {
    const listeners = this.#listeners.get(type) ?? [];
    for (const entry of listeners) if (entry.listener === listener) listeners.delete(entry);
  }

  /** Calls `listener` once; without one, returns a promise. */
  once(type, listener) {
    if (!listener) return this.#next(type);
    const end = this.#listen(type, listener, (event) => {
      end();
      listener(event);
    });
    return end;
  }

  /** Iterates over the messages of these types, or all, from now on until the client is closed. */
  messages(...types) {
    const messages = new Messages((iterator) => {
      const off = this.on("message", (message) => {
        if (!types.length || types.includes(message.type)) iterator.push(message);
      });
      const end = () => iterator.end();
      this.#endings.add(end);
      return () => {
        off();
        this.#endings.delete(end);
      };
    });
    if (this.#status.state === "closed") messages.end();
    return messages;
  }

  // The connection

  async #open() {
    clearTimeout(this.#retryTimer);
    const opening = ++this.#opening;
    this.#dropSocket()?.close(CODE_SILENT);
    this.#setStatus({ state: "connecting" });
    if (opening !== this.#opening) return;
    try {
      if (this.#token === null) {
        const fetching = this.#askToken(this.#tokenWasRefused ? "refused" : "connect");
        const token = await within(TOKEN_WITHIN_MS, "The token", fetching);
        if (opening !== this.#opening) return;
        this.#token = token;
        this.#tokenIsFresh = true;
      } else {
        this.#tokenIsFresh = false;
      }
      if (TOKEN.test(this.#token)) this.#openSocket();
      else this.#refused("The token is not a JWT");
    } catch (error) {
      if (opening !== this.#opening) return;
      const reason = messageOf(error);
      warn(`no connection: ${reason}`);
      this.#retry(CODE_ABNORMAL, reason);
    }
  }

  #newSocket() {
    if (performance.now() < this.#cutEndsAt) throw new Error(CUT);
    const url = new URL(this.#url);
    if (this.#cursor !== null) {
      url.searchParams.set("since", this.#cursor.position);
      url.searchParams.set("epoch", this.#cursor.epoch);
    }
    // An older service ignores it, and tells so by a `welcome` without a frame rate.
    if (this.#frameHzWanted) url.searchParams.set("frameHz", this.#frameHzWanted);
    return new this.#WebSocket(url, [PROTOCOL, `bearer.${this.#token}`]);
  }

  #openSocket() {
    this.#resumes = this.#cursor !== null;
    this.#use(this.#newSocket());
  }

  #use(socket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#received(JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
    // Node 22 emits only this for a failed handshake; elsewhere a close with 1006 follows.
    socket.onerror = () => this.#lost(CODE_ABNORMAL, "");
    this.#noteHeard();
    this.#checkTimer = setInterval(() => this.#check(), CHECK_EVERY_MS);
  }

  /** Connects elsewhere, while the socket that is about to be closed goes on. */
  #openSuccessor() {
    if (this.#token === null || this.#cursor === null) return;
    const socket = this.#newSocket();
    /** @type {any[]} */ const held = [];
    this.#successor = socket;
    socket.onmessage = ({ data }) => {
      held.push(JSON.parse(data));
      if (isResumed(held)) this.#moveTo(socket, held);
    };
    socket.onclose = socket.onerror = () => {
      if (socket === this.#successor) this.#moveAfter(RETRY_FIRST_MS);
    };
  }

  #moveAfter(maxMs) {
    this.#dropSuccessor();
    this.#successorTimer = setTimeout(() => this.#openSuccessor(), Math.random() * maxMs);
  }

  #dropSuccessor() {
    clearTimeout(this.#successorTimer);
    const successor = this.#successor;
    this.#successor = null;
    if (successor) {
      detach(successor);
      successor.close(CODE_SILENT);
    }
  }

  #moveTo(socket, held) {
    const { position } = this.#cursor;
    this.#successor = null;
    const former = this.#dropSocket();
    this.#resumes = true;
    this.#status = { state: "connecting" };
    this.#use(socket);
    former?.close(CODE_SILENT);
    const isWhole = held.some(({ type }) => type === "resync");
    for (const message of held) {
      if (socket !== this.#socket) return;
      if (this.#isOlderState(message)) continue;
      if (isWhole || isAfter(message, position)) this.#received(message);
    }
  }

  #isOlderState({ type, roomId, run, tick }) {
    const shown = this.#shown.get(roomId);
    if (type !== "game:update" || !shown) return false;
    return run < shown.run || (run === shown.run && tick < shown.tick);
  }

  #noteHeard() {
    this.#silence = new Stopwatch();
    this.#checksSinceReceived = 0;
    this.#isSuspect = false;
    this.#isProbed = false;
  }

  /** A socket does not report a link that is silently dead. */
  #check() {
    this.#checksSinceReceived++;
    const quietMs = this.#welcomed
      ? HEARTBEATS_MISSED_MAX * this.#welcome.heartbeatMs
      : OPEN_WITHIN_MS;
    const silentMs = Math.max(this.#silence.steadyMs, this.#checksSinceReceived * CHECK_EVERY_MS);
    if (silentMs < quietMs) {
      // The monotonic clock may not count a sleep of the machine: a probe detects a dead link.
      if (this.#silence.ms >= quietMs) this.#probe();
    } else if (!this.#isSuspect) {
      // A page that was frozen has queued messages, which are handled before the next check.
      this.#isSuspect = true;
    } else {
      this.#socket.close(CODE_SILENT);
      this.#lost(CODE_ABNORMAL, "Nothing was heard for too long");
    }
  }

  #probe() {
    if (this.#isProbed || this.#status.state !== "online") return;
    this.#isProbed = true;
    this.#transmit('{"type":"ping"}');
  }

  #lost(code, reason) {
    this.#dropSocket();
    if (FINAL_CODES.has(code)) {
      this.#end(code, reason);
    } else if (code === CODE_BAD_TOKEN) {
      this.#refused(reason);
    } else {
      if (code === CODE_TOKEN_EXPIRED) this.#forgetToken();
      this.#retry(code, reason);
    }
  }

  /** Requests another token. Only the refusal of a token that was fetched just before counts. */
  #refused(reason) {
    if (this.#tokenIsFresh) this.#refusals++;
    this.#forgetToken();
    warn(`the token was refused: ${reason}`);
    if (this.#refusals >= REFUSED_TOKENS_MAX) this.#end(CODE_BAD_TOKEN, reason);
    else if (this.#refusals <= 1) this.#open();
    else this.#retry(CODE_BAD_TOKEN, reason);
  }

  #forgetToken() {
    this.#token = null;
    this.#tokenIsFresh = false;
    this.#tokenWasRefused = true;
  }

  #retry(code, reason) {
    if (this.#attempt >= this.#attemptsMax) {
      this.#end(code, reason);
      return;
    }
    const maxMs = this.#rooms.hasSeat ? RETRY_WITH_SEAT_MAX_MS : RETRY_MAX_MS;
    const delayMs =
      this.#drainMs === null
        ? retryDelayMs(this.#attempt++, maxMs)
        : Math.random() * (this.#rooms.hasSeat ? Math.min(maxMs, this.#drainMs) : this.#drainMs);
    this.#drainMs = null;
    this.#retryTimer = setTimeout(() => this.#open(), delayMs);
    this.#setStatus({ state: "waiting", retryAt: Date.now() + delayMs, code, reason });
  }

  #end(code, reason) {
    this.#opening++;
    this.#life++;
    clearTimeout(this.#retryTimer);
    const closed = new Closed(code, reason);
    this.#rejectAll(closed);
    for (const { reject } of this.#waiters.splice(0)) reject(closed);
    this.#forgetUser();
    this.#token = null;
    this.#tokenWasRefused = false;
    this.#drainMs = null;
    this.#setStatus({ state: "closed", code, reason });
    for (const end of [...this.#endings]) end(closed);
  }

  #rejectAll(error) {
    for (const { timer, reject } of this.#pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#pending.clear();
  }

  /** Drops the state of the former user. */
  #forgetUser() {
    this.#welcome = null;
    this.#session = null;
    this.#cursor = null;
    this.#users = new Users();
    this.#rooms = new Rooms();
    this.#late.clear();
  }

  /** Detaches the socket; its last events are ignored. */
  #dropSocket() {
    const socket = this.#socket;
    this.#socket = null;
    clearInterval(this.#checkTimer);
    clearTimeout(this.#rateLimiterTimer);
    clearTimeout(this.#pauseTimer);
    this.#pauseTimer = null;
    this.#dropSuccessor();
    if (socket) detach(socket);
    if (this.#welcomed && this.#welcomed.ms > STABLE_MS) this.#attempt = 0;
    this.#welcomed = null;
    this.#held = null;
    this.#page = null;
    this.#rejoins.clear();
    this.#slowPlaces.clear();
    for (const request of this.#pending.values()) request.isSent = false;
    return socket;
  }

  #setStatus(status) {
    this.#status = status;
    this.#emit("status", status);
  }

  /** Called when all missed messages were emitted: commands may be sent again. */
  #online(resumed) {
    for (const join of this.#rooms.joins.values()) {
      // Joining a room with an unanswered leave command could undo the leave.
      if (this.#isLeaving(join.roomId)) continue;
      const id = this.#newId();
      this.#rejoins.set(id, new PendingCommand(join, JSON.stringify({ ...join, id })));
    }
    for (const { resolve } of this.#waiters.splice(0)) resolve(this.#welcome);
    this.#status = { state: "online", resumed };
    this.#sendPending();
    this.#setStatus(this.#status);
  }

  #isLeaving(roomId) {
    return [...this.#pending.values()].some(
      ({ command }) => command.roomId === roomId && /^(room|game):leave$/.test(command.type),
    );
  }

  #newId() {
    return `${this.#idPrefix}-${++this.#idCount}`;
  }

  /** Throws for a message above the limit, which would close the connection. */
  #frame(message) {
    const frame = JSON.stringify(message);
    this.#checkLength(message.type, frame);
    return frame;
  }

  #checkLength(type, frame) {
    const { messageBytesMax = Infinity } = this.limits ?? {};
    // Encode only messages near the limit; a UTF-16 unit takes at most three bytes in UTF-8.
    if (3 * frame.length > messageBytesMax && ENCODER.encode(frame).length > messageBytesMax) {
      throw new RangeError(`${type} has more than ${messageBytesMax} bytes`);
    }
  }

  #transmit(frame) {
    this.#socket.send(frame);
  }

  // Pending commands

  /**
   * Sends pending commands within the rate limits of the service, those for one room in order.
   */
  #sendPending() {
    clearTimeout(this.#rateLimiterTimer);
    if (this.#status.state !== "online" || this.#pauseTimer !== null) return;
    const held = new Set();
    let inFlight = 0;
    for (const [id, request] of [...this.#rejoins, ...this.#pending]) {
      const { place, isLimited } = request;
      if (!request.isSent && !held.has(place)) {
        if (this.#isTooOld(request)) {
          this.#noAnswer(id);
          continue;
        }
        if (inFlight >= IN_FLIGHT_MAX) return;
        if (!this.#rateLimiter.take(request.units)) {
          this.#rateLimiterTimer = setTimeout(() => this.#sendPending(), this.#rateLimiter.waitMs);
          return;
        }
        this.#sendNow(request);
      }
      if (request.isSent) inFlight++;
      if (!request.isSent || isLimited || this.#slowPlaces.has(place)) held.add(place);
    }
  }

  #sendNow(request) {
    request.isSent = true;
    request.number ??= ++this.#sentCount;
    this.#transmit(request.frame);
  }

  /**
   * Whether a command timed out, or the service may have forgotten its id. A rejoin never gets
   * too old, since joining a room twice is harmless.
   */
  #isTooOld({ age, timeoutMs, number = Infinity }) {
    if (timeoutMs === Infinity) return false;
    return age.ms >= timeoutMs || this.#sentCount - number > NEWER_COMMANDS_MAX;
  }

  #noAnswer(id) {
    const request = this.#takePending(id);
    if (!request) return;
    const { command, timeoutMs, age } = request;
    this.#late.set(id, command);
    if (this.#late.size > LATE_MAX) this.#late.delete(this.#late.keys().next().value);
    const waitedMs = Math.min(timeoutMs, Math.round(age.ms));
    request.reject(new NoAnswer(`${command.type} was not answered in ${waitedMs} ms`));
  }

  /** Fails commands above the limit, which may have changed since they were queued. */
  #rejectTooLong() {
    for (const [id, { command, frame, reject }] of this.#pending) {
      try {
        this.#checkLength(command.type, frame);
      } catch (error) {
        this.#takePending(id);
        reject(error);
      }
    }
  }

  // Incoming messages

  #received(message) {
    this.#noteHeard();
    if (message.type === "welcome" && !this.#isSameUser(message) && this.#changeUser()) return;
    if (this.#held) {
      this.#held.push(message);
      if (message.type === "greeted") this.#release();
    } else if (this.#beginsWhatStands(message)) {
      // A resume would not repeat the part that is missing when the connection breaks.
      this.#cursor = null;
      this.#held = [message];
    } else {
      this.#handle(message);
    }
  }

  #isSameUser({ user }) {
    return this.#welcome === null || this.#welcome.user.id === user.id;
  }

  /** Changes to the user of another token; returns whether that needs another connection. */
  #changeUser() {
    const resumed = this.#resumes;
    this.#rejectAll(new NoAnswer("the token is now that of another user"));
    this.#forgetUser();
    if (resumed) this.#open();
    return resumed;
  }

  #beginsWhatStands({ type, features }) {
    if (type === "welcome") return !this.#resumes && Boolean(features?.includes("greeted"));
    return type === "resync" && this.#knows("greeted");
  }

  /** Whether the service has this feature. */
  #knows(feature) {
    return Boolean(this.#welcome?.features?.includes(feature));
  }

  #release() {
    const [socket, held] = [this.#socket, this.#held];
    this.#held = null;
    for (const message of held) if (socket === this.#socket) this.#handle(message);
  }

  #handle(message) {
    const socket = this.#socket;
    if (this.#takeIn(message)) {
      if (!OWN_EVENTS.has(message.type)) this.#emit(message.type, message);
      if (socket === this.#socket) this.#emit("message", message);
    }
    // A listener may have closed the client.
    if (socket === this.#socket) this.#goOn(message);
  }

  /** Updates the state by a message; returns whether the message is emitted. */
  #takeIn(message) {
    this.#moveCursor(message);
    switch (message.type) {
      case "welcome":
        this.#takeWelcome(message);
        break;
      case "session:state":
        this.#session = message;
        this.#rooms.seatedIn(message.inRoom ? message.roomId : null);
        break;
      case "room:start":
        this.#rooms.seatedIn(message.roomId);
        break;
      case "session:kickIntro":
        this.#session = { type: "session:state", inRoom: false, roomId: null };
        this.#rooms.forgetSeats();
        break;
      case "resync":
        this.#rooms.forgetStates();
        break;
      case "user:list":
        this.#users.replace(message);
        break;
      case "user:diff":
        if (!this.#users.apply(message)) this.#transmit('{"type":"user:sync"}');
        break;
      case "room:state":
        return this.#rooms.apply(message);
      case "room:left":
        // A disconnected spectator joins again on reconnect.
        if (message.userId === this.user.id && message.reason !== "offline") {
          this.#rooms.forget(message.roomId);
        }
        break;
      case "room:closed":
        this.#shown.delete(message.roomId);
        this.#rooms.forget(message.roomId);
        break;
      case "room:list":
        this.#page = message;
        break;
      case "game:update":
        this.#shown.set(message.roomId, message);
        break;
      case "game:start":
        this.#shown.delete(message.roomId);
        break;
      case "server:draining":
        if (message.closesInMs === undefined) this.#drainMs = message.retryMs;
        else this.#moveAfter(message.retryMs);
        break;
      case "error":
        return this.#failed(message);
    }
    return true;
  }

  #takeWelcome(welcome) {
    this.#welcome = welcome;
    this.#welcomed = new Stopwatch();
    this.#tokenWasRefused = false;
    this.#tokenIsFresh = false;
    this.#refusals = 0;
    this.#frameHz = welcome.frameHz ?? FRAME_HZ;
    this.#rateLimiter.limit(welcome.limits);
    this.#rejectTooLong();
    this.#rooms.connected();
    if (!this.#resumes) this.#rooms.forgetStates();
  }

  /** Moves the cursor, but not for an ack: messages with lower positions may follow it. */
  #moveCursor({ type, position, epoch, to }) {
    if (type === "resync" || (type === "welcome" && !this.#resumes)) {
      this.#cursor = { position, epoch };
    } else if (type === "resumed") {
      this.#cursor.position = Math.max(this.#cursor.position, to);
    } else if (type !== "welcome" && type !== "ack" && position !== undefined) {
      this.#cursor.position = Math.max(this.#cursor.position, position);
    }
  }

  /** Reacts to a message after its listeners were called. */
  #goOn(message) {
    switch (message.type) {
      case "user:list":
        // Without a resume the current state follows, and is emitted as it arrives.
        if (this.#status.state === "connecting" && !this.#resumes) this.#online(false);
        this.#emit("users", this.users);
        break;
      case "user:diff":
        this.#emit("users", this.users);
        break;
      case "resumed":
      case "resync":
        if (this.#status.state === "connecting") this.#online(message.type === "resumed");
        break;
      case "session:kickIntro":
      case "room:state":
      case "room:left":
      case "room:closed":
        this.#emit("rooms", this.rooms);
        break;
      case "ack":
      case "pong":
        this.#answered(message);
        break;
      case "token:expiring":
        this.#refreshToken();
        break;
    }
  }

  #answered(answer) {
    this.#rejoins.delete(answer.id);
    const request = this.#takePending(answer.id);
    const command = request?.command ?? this.#takeLate(answer.id);
    if (command) {
      const page = command.type === "room:list" ? this.#page : null;
      if (page) this.#page = null;
      // The room was joined even if the caller has given up waiting.
      this.#rooms.answered(command, answer);
      if (command.type === "frames:set") this.#frameHz = this.#frameHzWanted = command.frameHz;
      request?.resolve(page ?? answer);
    }
    this.#sendPending();
  }

  #takeLate(id) {
    const command = this.#late.get(id);
    this.#late.delete(id);
    return command;
  }

  /** Returns whether an error is emitted; one that answers a request rejects it instead. */
  #failed({ id, code, message }) {
    const join = this.#rejoins.get(id);
    if (code === "RATE_LIMITED" || (join && code === "UNAVAILABLE")) {
      this.#sendAgainSoon(id);
      return true;
    }
    if (join) {
      this.#rejoins.delete(id);
      this.#rooms.forget(join.command.roomId);
      this.#emit("rooms", this.rooms);
      this.#sendPending();
      return true;
    }
    this.#takeLate(id);
    const request = this.#takePending(id);
    request?.reject(new Refused(code, message));
    this.#sendPending();
    return !request;
  }

  #takePending(id) {
    const request = this.#pending.get(id);
    clearTimeout(request?.timer);
    this.#pending.delete(id);
    return request;
  }

  /** A 0.1.0 service leaves the id out above the rate limit: it may be any command. */
  #sendAgainSoon(id) {
    const refused = this.#rejoins.get(id) ?? this.#pending.get(id);
    if (refused) {
      refused.isSent = false;
      this.#slowPlaces.add(refused.place);
    } else if (id === undefined && !this.#knows("error_ids")) {
      for (const request of [...this.#rejoins.values(), ...this.#pending.values()]) {
        request.isSent = false;
      }
    }
    clearTimeout(this.#pauseTimer);
    this.#pauseTimer = setTimeout(() => {
      this.#pauseTimer = null;
      this.#sendPending();
    }, RATE_LIMITED_WAIT_MS);
  }

  async #refreshToken() {
    const [life, user] = [this.#life, this.user];
    try {
      const token = await within(TOKEN_WITHIN_MS, "The token", this.#askToken("expiring"));
      if (life !== this.#life || user.id !== this.user?.id || token === this.#token) return;
      await this.request({ type: "auth:refresh", token });
      if (life === this.#life) this.#token = token;
    } catch (error) {
      // The service then closes the socket when the token expires, and another token is requested.
      warn(`the token was not renewed: ${messageOf(error)}`);
    }
  }

  // Listeners

  #listen(type, listener, call) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners);
    const entry = { listener, call };
    listeners.add(entry);
    return () => listeners.delete(entry);
  }

  /** Resolves with the next event of a type; rejects if the client is closed before. */
  #next(type) {
    const promise = new Promise((resolve, reject) => {
      if (this.#status.state === "closed" && type !== "status") {
        reject(new Closed(this.#status.code, this.#status.reason));
        return;
      }
      const closed = (error) => {
        end();
        reject(error);
      };
      const end = this.#listen(type, closed, (event) => {
        end();
        this.#endings.delete(closed);
        resolve(event);
      });
      this.#endings.add(closed);
    });
    // A caller that ignores the promise gets the end by `status`.
    promise.catch(() => {});
    return promise;
  }

  /** Emits an event, after those that are queued. */
  #emit(type, event) {
    this.#events.push({ type, event, life: this.#life });
    if (this.#isEmitting) return;
    this.#isEmitting = true;
    while (this.#events.length) this.#giveOut(this.#events.shift());
    this.#isEmitting = false;
  }

  #giveOut({ type, event, life }) {
    const listeners = this.#listeners.get(type);
    for (const entry of [...(listeners ?? [])]) {
      // An earlier listener may have removed this one, or closed the client.
      if (!listeners.has(entry)) continue;
      if (life !== this.#life && type !== "status") return;
      try {
        entry.call(event);
      } catch (error) {
        // An exception of a listener is reported, and must not stop the others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/**
 * A room by its id. It keeps nothing itself: its state is the client's, so any number of them may be
 * made, and none has to be disposed of.
 */
export class Room {
  #client;
  #id;

  constructor(client, roomId) {
    this.#client = client;
    this.#id = roomId;
  }

  get id() {
    return this.#id;
  }

  /** The newest `room:state`; null for a room that this client is not in. */
  get state() {
    return this.#client.rooms.get(this.#id) ?? null;
  }

  /** The seat of this user; null if they watch, or are not in the room. */
  get seat() {
    const me = this.#client.user?.id;
    const seat = this.state?.seats.findIndex(({ user }) => user && user.id === me) ?? -1;
    return seat < 0 ? null : seat;
  }

  /** Calls `listener` for the messages of this room; returns a function that removes it. */
  on(type, listener) {
    return this.#client.on(type, (message) => {
      if (message.roomId === this.#id) listener(message);
    });
  }

  /** Resolves with the next message of a type in this room; rejects if the client is closed before. */
  async once(type) {
    // All that come at once, as after a reconnect, are looked at.
    for await (const message of this.#client.messages(type)) {
      if (message.roomId === this.#id) return message;
    }
    const { code, reason } = this.#client.status;
    throw new Closed(code, reason);
  }

  join(options = {}) {
    return this.#request({ type: "room:join", ...options });
  }

  leave() {
    return this.#request({ type: "room:leave" });
  }

  /** Tells that this user is ready; the match begins, or a rematch, once all are. */
  ready(ready = true) {
    return this.#request({ type: "room:ready", ready });
  }

  move(move) {
    return this.#request({ type: "game:move", move });
  }

  /** Sends a move once, without an answer: for keys, which are of no use later. */
  press(move) {
    return this.#client.send({ type: "game:move", roomId: this.#id, move });
  }

  say(text) {
    return this.#request({ type: "chat:send", text });
  }

  /** Sends `data` to all others in the room, once. */
  signal(data) {
    return this.#client.send({ type: "signal", roomId: this.#id, data });
  }

  #request(command) {
    return this.#client.request({ ...command, roomId: this.#id });
  }
}

// Motion of a live match: between frames (`Interpolation`, `Playback`), and of what this player moves,
// before the service has answered (`Prediction`). It is pure: times are given, in milliseconds of any
// clock that does not go back.

/** @type {(before: any, after: any) => boolean} */
const NO_JUMP = () => false;
/** A match that has gone on for longer between two frames is shown where it is at once. */
const INTERPOLATED_TICKS_MAX = 12;

/**
 * A state between two others; `share` is 0 at the first and 1 at the second. Only `fields` are between
 * them, where both states have a number; all others are those of the second state.
 */
export function interpolate(before, after, share, fields) {
  const state = { ...after };
  for (const field of fields) {
    const [from, to] = [before[field], after[field]];
    if (Number.isFinite(from) && Number.isFinite(to)) state[field] = from + (to - from) * share;
  }
  return state;
}

/**
 * Turns the states of a match into smooth motion: it shows what is between the last two frames, and so
 * is one frame behind. Times are in milliseconds of any clock that does not go back.
 */
export class Interpolation {
  #fields;
  #isJump;
  #tickHz;
  /** @type {any} */ #newest = null;
  /** What was shown when the newest frame came, and when that frame is reached. */
  /** @type {any} */ #from = null;
  #startedAt = 0;
  #endsAt = 0;

  constructor({ fields, isJump = NO_JUMP, tickHz = 60 }) {
    this.#fields = fields;
    this.#isJump = isJump;
    this.#tickHz = tickHz;
  }

  /** Takes a `game:update`. */
  push({ run, tick, state }, now) {
    const before = this.#newest;
    this.#newest = { run, tick, state };
    const ticks = before !== null && before.run === run ? tick - before.tick : -1;
    // The same tick again, as to a tab that has joined once more.
    if (ticks === 0 && !this.#isJump(before.state, state)) return;
    if (ticks > 0 && ticks <= INTERPOLATED_TICKS_MAX && !this.#isJump(before.state, state)) {
      this.#from = this.#between(before.state, now);
      this.#endsAt = now + (ticks * 1000) / this.#tickHz;
    } else {
      this.#from = state;
      this.#endsAt = now;
    }
    this.#startedAt = now;
  }

  /** The state to show now; null before the first frame. */
  at(now) {
    return this.#newest && this.#between(this.#newest.state, now);
  }

  /** Whether the newest frame is not reached yet, so that the next picture differs. */
  isMoving(now) {
    return now < this.#endsAt;
  }

  /** Forgets the frames, as before another match. */
  reset() {
    this.#newest = null;
    this.#endsAt = 0;
  }

  #between(state, now) {
    if (now >= this.#endsAt) return state;
    const share = Math.max(0, (now - this.#startedAt) / (this.#endsAt - this.#startedAt));
    return interpolate(this.#from, state, share, this.#fields);
  }
}

/** How far the speed of a playback may differ from that of the match. */
const STEERING_MAX = 0.1;
/** How quickly a playback comes back to its delay: the share of the difference per millisecond. */
const STEERING_PER_MS = 1 / 400;
/** How late frames are expected to be, beyond the time between two of them. */
const LATENESS_MS_MIN = 4;
const LATENESS_MS_MAX = 100;
/** How much of the lateness of frames is forgotten with each one. */
const LATENESS_DECAY = 0.98;
/** A frame that is later than this shows that the match had paused. */
const PAUSE_MS = 250;
const FRAMES_KEPT_MAX = 30;

/**
 * Tells when a tick would have come by the quickest way: frames come unevenly, ticks are even.
 */
class TickClock {
  #tickMs;
  #run = -1;
  #tick = -1;
  /** When tick 0 would have come; null before the first frame. */
  /** @type {any} */ #origin = null;
  /** How late frames are at times. */
  latenessMs = LATENESS_MS_MIN;
  /** The ticks between the last two frames. */
  intervalTicks = 0;

  constructor(tickHz) {
    this.#tickMs = 1000 / tickHz;
  }

  get tickMs() {
    return this.#tickMs;
  }

  /** Takes a frame; returns whether it continues the former ones. */
  push({ run, tick }, now) {
    const ticks = run === this.#run ? tick - this.#tick : -1;
    const lateMs = now - this.at(tick);
    const continues = ticks >= 0 && ticks <= INTERPOLATED_TICKS_MAX && lateMs <= PAUSE_MS;
    this.#run = run;
    this.#tick = tick;
    if (!continues) {
      this.#origin = now - tick * this.#tickMs;
      this.latenessMs = LATENESS_MS_MIN;
      return false;
    }
    if (ticks > 0) this.intervalTicks = ticks;
    // The quickest way may have changed, so it is slowly forgotten.
    this.#origin += Math.min(lateMs, 0.01 * Math.max(0, lateMs));
    const late = Math.min(lateMs, LATENESS_MS_MAX);
    this.latenessMs = Math.max(late, this.latenessMs * LATENESS_DECAY, LATENESS_MS_MIN);
    return true;
  }

  /** When this tick would have come. */
  at(tick) {
    return this.#origin + tick * this.#tickMs;
  }

  /** The tick that would come now. */
  tickAt(now) {
    return (now - this.#origin) / this.#tickMs;
  }

  reset() {
    this.#run = -1;
    this.intervalTicks = 0;
  }
}

/**
 * Plays the states of a match evenly, also when frames arrive unevenly: it shows them later than an
 * `Interpolation`, by as much as they are late at times.
 */
export class Playback {
  #fields;
  #isJump;
  #clock;
  /** @type {{run: number, tick: number, state: any}[]} */ #frames = [];
  /** The tick that was shown last, and when. */
  #shownTick = 0;
  #shownAt = 0;

  constructor({ fields, isJump = NO_JUMP, tickHz = 60 }) {
    this.#fields = fields;
    this.#isJump = isJump;
    this.#clock = new TickClock(tickHz);
  }

  /** Takes a `game:update`. */
  push(frame, now) {
    if (!this.#clock.push(frame, now)) {
      this.#frames = [frame];
      this.#shownTick = frame.tick;
      this.#shownAt = now;
      return;
    }
    if (this.#frames.at(-1)?.tick === frame.tick) this.#frames.pop();
    this.#frames.push(frame);
    // A hidden page draws nothing.
    if (this.#frames.length > FRAMES_KEPT_MAX) this.#frames.shift();
  }

  /** The state to show now; null before the first frame. */
  at(now) {
    if (!this.#frames.length) return null;
    const tick = this.#advance(now);
    while (this.#frames.length > 1 && this.#frames[1].tick <= tick) this.#frames.shift();
    const [before, after] = this.#frames;
    if (!after || this.#isJump(before.state, after.state)) return before.state;
    const share = Math.max(0, (tick - before.tick) / (after.tick - before.tick));
    return interpolate(before.state, after.state, share, this.#fields);
  }

  /** Whether the newest frame is not reached yet, so that the next picture differs. */
  isMoving() {
    const newest = this.#frames.at(-1);
    return newest !== undefined && this.#shownTick < newest.tick;
  }

  /** Forgets the frames, as before another match. */
  reset() {
    this.#frames = [];
    this.#clock.reset();
  }

  /** Moves on to the tick to show now: at the speed of the match, or nearly so. */
  #advance(now) {
    const { tickMs, latenessMs, intervalTicks } = this.#clock;
    const elapsedMs = Math.max(0, now - this.#shownAt);
    this.#shownAt = now;
    const wanted = this.#clock.tickAt(now - latenessMs) - intervalTicks;
    const next = this.#shownTick + elapsedMs / tickMs;
    const steered = Math.min(1, elapsedMs * STEERING_PER_MS) * (wanted - next);
    const most = (STEERING_MAX * elapsedMs) / tickMs;
    const tick = next + Math.max(-most, Math.min(most, steered));
    return (this.#shownTick = Math.min(tick, this.#frames.at(-1)?.tick ?? tick));
  }
}

/** How long predicted states are kept, to be compared with those of the service. */
const PREDICTED_MS = 1500;
/** The first guess of how long the service takes to show an input; it is measured from then on. */
const LAG_MS = 60;
const LAG_MS_MAX = 1200;
/** Share of a measured difference by which the lag is changed. */
const LAG_GAIN = 0.15;
const LAG_STEP_MS = 25;
/** How much of its way may be early or late in the service, since each input takes its own time. */
const JITTER_MS = 12;
/** Share of its speed by which a moving value is corrected at the most: it never goes back. */
const CORRECTION_MOVING = 0.4;
/** A difference of more than `leap` is no delay of inputs when it has lasted for this long. */
const LEAP_MS = 300;

/**
 * Predicts what this player moves, so that it follows their inputs at once. The service, which decides,
 * shows the same a while later: where it differs, the prediction glides there, and never back while it
 * moves.
 */
export class Prediction {
  #step;
  #field;
  #tickMs;
  #leap;
  #drift;
  #start;
  #input;
  #own;
  /** The time of `#own`; null before the first `at`. */
  /** @type {any} */ #time = null;
  /** @type {{time: number, own: any}[]} Predicted states, oldest first. */ #past = [];
  /** What is still to be corrected. */
  #owed = 0;
  /** The part of it that the coming tick repays, and the state after that tick. */
  #part = 0;
  #next;
  #agreedAt = 0;
  #clock;
  #lagMs = LAG_MS;

  /** `step(own, input)` returns the state a tick later; its `field` is what the service shows. */
  constructor({ start, input, step, field, tickHz = 60, leap, drift }) {
    this.#start = start;
    this.#step = step;
    this.#field = field;
    this.#clock = new TickClock(tickHz);
    this.#tickMs = this.#clock.tickMs;
    this.#leap = leap;
    this.#drift = drift;
    this.#input = input;
    this.#own = this.#next = start;
  }

  /** How long the service takes to show an input, in milliseconds. */
  get lagMs() {
    return this.#lagMs;
  }

  /** The player's input from now on, such as the keys that they hold. */
  input(input, now) {
    this.#advance(now);
    this.#input = input;
    this.#plan();
  }

  /** The predicted state: the ticks up to now, and the part of the next one that has passed. */
  at(now) {
    this.#advance(now);
    const share = (now - this.#time) / this.#tickMs;
    return interpolate(this.#own, this.#next, share, [this.#field]);
  }

  /** Compares with what a frame of the service shows. */
  reconcile(frame, value, now) {
    this.#advance(now);
    this.#clock.push(frame, now);
    const at = this.#clock.at(frame.tick) - this.#lagMs;
    const index = this.#past.findLastIndex(({ time }) => time <= at);
    if (index < 0 || index === this.#past.length - 1) return;
    const [before, after] = this.#past.slice(index, index + 2);
    const [from, to] = [before.own[this.#field], after.own[this.#field]];
    const perMs = (to - from) / this.#tickMs;
    const error = value - (from + perMs * (at - before.time));
    const isMoving = Math.abs(perMs) * this.#tickMs > this.#drift;
    if (isMoving) this.#measureLag(error, perMs);
    if (isMoving || Math.abs(error) <= this.#leap) this.#agreedAt = now;
    if (Math.abs(error) > this.#leap) {
      // In motion it is the lag that is not known yet.
      this.#owed = 0;
      if (now - this.#agreedAt > LEAP_MS) this.#shift(error);
      return;
    }
    const tolerance = Math.abs(perMs) * JITTER_MS;
    this.#owed = error - Math.max(-tolerance, Math.min(tolerance, error));
  }

  /** Begins anew, as when a match starts or continues. */
  reset(own = this.#start) {
    this.#own = own;
    this.#time = null;
    this.#past = [];
    this.#owed = 0;
    this.#clock.reset();
  }

  /** The service shows inputs later, or sooner, than was assumed if it is behind, or ahead. */
  #measureLag(error, perMs) {
    const step = Math.max(-LAG_STEP_MS, Math.min(LAG_STEP_MS, (LAG_GAIN * error) / perMs));
    const lagMs = this.#lagMs - step;
    this.#lagMs = Math.max(0, Math.min(LAG_MS_MAX, lagMs));
  }

  #advance(now) {
    // A page that was frozen does not repeat what it missed.
    if (this.#time === null || now - this.#time > PREDICTED_MS) {
      this.#time = now;
      this.#plan();
    }
    while (now - this.#time >= this.#tickMs) {
      this.#own = this.#next;
      this.#time += this.#tickMs;
      this.#repay();
      this.#past.push({ time: this.#time, own: this.#own });
      this.#plan();
    }
    while (this.#past.length && this.#past[0].time < now - PREDICTED_MS) this.#past.shift();
  }

  /** Computes the state after the coming tick, with a part of what is owed. */
  #plan() {
    const next = this.#step(this.#own, this.#input);
    const moved = Math.abs(next[this.#field] - this.#own[this.#field]);
    const most = Math.max(CORRECTION_MOVING * moved, this.#drift);
    this.#part = Math.max(-most, Math.min(most, this.#owed));
    this.#next = this.#part ? this.#shifted(next, this.#part) : next;
  }

  #repay() {
    this.#owed -= this.#part;
    // What was predicted before would have been there as well.
    if (this.#part) for (const one of this.#past) one.own = this.#shifted(one.own, this.#part);
  }

  /** Moves the present and the past state at once. */
  #shift(by) {
    this.#own = this.#shifted(this.#own, by);
    for (const one of this.#past) one.own = this.#shifted(one.own, by);
    this.#plan();
  }

  #shifted(own, by) {
    return { ...own, [this.#field]: own[this.#field] + by };
  }
}
