// The client of ws-service for browsers and Node (22 or newer): one connection that stays, and what
// a page needs to know, kept current. docs/protocol.md describes the wire, client.d.ts all types.
//
//     const client = new Client({ url: "wss://play.example.org/", token: fetchToken });
//     client.on("chat:message", ({ from, text }) => console.log(from.name, text));
//     await client.connect();
//     const { roomId } = await client.request({ type: "room:create", game: "connect_four" });

const PROTOCOL = "ws-service.v1";

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 15_000;
/** Only a connection that held for so long proves that the service is well again. */
const STABLE_MS = 5_000;

const CHECK_EVERY_MS = 1_000;
/** How long a handshake may take, up to `welcome`. */
const OPEN_WITHIN_MS = 10_000;
/** After so many heartbeats without a word the connection is dead, whatever the socket says. */
const HEARTBEATS_MISSED_MAX = 2.5;

const ANSWER_WITHIN_MS = 30_000;
/** The service knows an id for five minutes; sent again later, a command could happen twice. */
const ANSWER_WITHIN_MS_MAX = 240_000;
const RATE_LIMITED_WAIT_MS = 1_000;

const CODE_NORMAL = 1000;
const CODE_ABNORMAL = 1006;
const CODE_BAD_TOKEN = 1008;
const CODE_TOKEN_EXPIRED = 4005;
/** Sent away, or too many sockets: coming back by itself would do harm. */
const FINAL_CODES = new Set([4503, 4504]);

const ENCODER = new TextEncoder();

/** What can stand in the list of subprotocols; every JWT does. */
const TOKEN = /^[\w.-]+$/;

/** The service has refused a command: nothing has happened, and it may be tried again. */
export class Refused extends Error {
  name = "Refused";

  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** No answer came in time: the command may have happened or not. */
export class NoAnswer extends Error {
  name = "NoAnswer";
}

/** The client is closed for good; `code` and `reason` are those of the last socket. */
export class Closed extends Error {
  name = "Closed";

  constructor(code, reason) {
    super(`closed with ${code}${reason && `: ${reason}`}`);
    this.code = code;
    this.reason = reason;
  }
}

/**
 * How long to wait before a try: exponential, with full jitter, so that the clients of a restarted
 * service do not all come back at once. The first try after a loss is `attempt` 0.
 */
function retryDelayMs(attempt) {
  return Math.random() * Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** attempt);
}

/** Everyone online: a list that came once, and the changes since then. */
class Users {
  #entries = new Map();
  /** The version of the list; null while a whole one must come first. */
  #v = null;

  get entries() {
    return this.#entries;
  }

  replace({ users, v }) {
    this.#entries = new Map(users.map((user) => [user.id, user]));
    this.#v = v;
  }

  /** Takes a `user:diff`; answers false when one before it is missing, so that a list is needed. */
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

/** The rooms of this client: how they stand, and how each is joined again. */
class Rooms {
  #states = new Map();
  /** The versions that this connection has told; after a restart they may begin anew. */
  #versions = new Map();
  #joins = new Map();

  get states() {
    return this.#states;
  }

  /** The messages that join each room again, on another connection. */
  get joins() {
    return this.#joins;
  }

  connected() {
    this.#versions.clear();
  }

  /** Takes a `room:state`; answers whether it is news. */
  apply(state) {
    const { roomId, v } = state;
    if (v <= this.#versions.get(roomId)) return false;
    this.#versions.set(roomId, v);
    this.#states.set(roomId, state);
    return true;
  }

  /** Takes an answered command, which may have joined or left a room. */
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
  }

  /** Seats were lost while nobody was connected; taking them again is for the user to say. */
  forgetSeats() {
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

  #listeners = new Map();
  #status = { state: "idle" };
  /** Those who wait in `connect`. */
  #waiters = [];
  #socket = null;
  /** Counts the tries to open a socket, so that a token that comes late opens none. */
  #opening = 0;
  #attempt = 0;
  #retryTimer;
  #checkTimer;
  #limitedTimer;
  #heardAt = 0;
  #welcomedAt = 0;
  /** What the service has asked to wait at most, before it stops. */
  #drainMs = null;

  #token = null;
  #tokenWasRefused = false;
  #welcome = null;
  #session = null;
  /** Where to resume: the highest position that was taken in, of which log. */
  #cursor = null;
  /** Whether this connection has asked to resume. */
  #resumes = false;
  #users = new Users();
  #rooms = new Rooms();

  /** Commands without an answer, by id, in the order in which they were given. */
  #pending = new Map();
  /** The rooms that this connection joins again, by the id of the command. */
  #rejoins = new Map();
  /** The ids of one client never meet those of another one, nor of the same page reloaded. */
  #idPrefix = [...crypto.getRandomValues(new Uint8Array(12))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  #idCount = 0;

  constructor({ url, token, WebSocket = globalThis.WebSocket, attemptsMax = Infinity }) {
    if (!WebSocket) throw new TypeError("there is no global WebSocket here: give one as an option");
    this.#url = new URL(url, globalThis.location?.href);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#askToken = token;
    this.#WebSocket = WebSocket;
    this.#attemptsMax = attemptsMax;
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

  /** Connects now, whatever was to be waited for, and answers when the client is online. */
  connect() {
    if (this.#status.state === "online") return Promise.resolve(this.#welcome);
    const online = new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
    // Who does not wait for it hears of the end by the status.
    online.catch(() => {});
    if (this.#status.state !== "connecting") {
      this.#attempt = 0;
      this.#tokenWasRefused = false;
      this.#open();
    }
    return online;
  }

  /** Goes for good; `connect` starts anew. */
  close() {
    const socket = this.#dropSocket();
    this.#end(CODE_NORMAL, "");
    socket?.close(CODE_NORMAL);
  }

  /** Sends a message once, if that is possible now; for what is worth nothing later. */
  send(message) {
    if (this.#status.state !== "online") return false;
    this.#transmit(this.#frame(message));
    return true;
  }

  /**
   * Carries out a command and answers with its ack. It is sent again with the same id after each
   * reconnect until it is answered, and so happens once.
   */
  request(command, { timeoutMs = ANSWER_WITHIN_MS } = {}) {
    if (timeoutMs > ANSWER_WITHIN_MS_MAX) {
      throw new RangeError(`timeoutMs is at most ${ANSWER_WITHIN_MS_MAX}`);
    }
    const id = this.#newId();
    return new Promise((resolve, reject) => {
      if (this.#status.state === "closed") {
        reject(new Closed(this.#status.code, this.#status.reason));
        return;
      }
      const frame = this.#frame({ ...command, id });
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new NoAnswer(`${command.type} was not answered in ${timeoutMs} ms`));
      }, timeoutMs);
      this.#pending.set(id, { command, frame, timer, resolve, reject, page: undefined });
      if (this.#status.state === "online") this.#transmit(frame);
    });
  }

  /** Calls `listener` for every message of a type; answers with a function that ends it. */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => this.off(type, listener);
  }

  off(type, listener) {
    this.#listeners.get(type)?.delete(listener);
  }

  /** Calls `listener` once; without one, answers with a promise. */
  once(type, listener) {
    if (!listener) return new Promise((resolve) => this.once(type, resolve));
    const end = this.on(type, (event) => {
      end();
      listener(event);
    });
    return end;
  }

  /** All messages of these types (or all at all) from now on, until the client is closed. */
  messages(...types) {
    const queue = [];
    let wake = () => {};
    const ends = [
      this.on("message", (message) => {
        if (types.length && !types.includes(message.type)) return;
        queue.push(message);
        wake();
      }),
      this.on("status", () => wake()),
    ];
    const isClosed = () => this.#status.state === "closed";
    return (async function* () {
      try {
        while (queue.length || !isClosed()) {
          if (queue.length) yield queue.shift();
          else await new Promise((resolve) => (wake = resolve));
        }
      } finally {
        for (const end of ends) end();
      }
    })();
  }

  // The connection

  async #open() {
    clearTimeout(this.#retryTimer);
    const opening = ++this.#opening;
    this.#setStatus({ state: "connecting" });
    try {
      this.#token ??= await this.#askToken(this.#tokenWasRefused ? "refused" : "connect");
      if (opening !== this.#opening) return;
      if (TOKEN.test(this.#token)) this.#openSocket();
      else this.#refused("The token is not a JWT");
    } catch (error) {
      if (opening === this.#opening) this.#retry(CODE_ABNORMAL, String(error?.message ?? error));
    }
  }

  #openSocket() {
    const url = new URL(this.#url);
    this.#resumes = this.#cursor !== null;
    if (this.#resumes) {
      url.searchParams.set("since", this.#cursor.position);
      url.searchParams.set("epoch", this.#cursor.epoch);
    }
    const socket = new this.#WebSocket(url, [PROTOCOL, `bearer.${this.#token}`]);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
    // Node 22 tells of a handshake that fails by this alone; else a close with 1006 follows.
    socket.onerror = () => this.#lost(CODE_ABNORMAL, "");
    this.#heardAt = Date.now();
    this.#checkTimer = setInterval(() => this.#check(), CHECK_EVERY_MS);
  }

  /** No socket tells of a link that is silently dead. */
  #check() {
    const quietMs = this.#welcomedAt
      ? HEARTBEATS_MISSED_MAX * this.#welcome.heartbeatMs
      : OPEN_WITHIN_MS;
    if (Date.now() - this.#heardAt <= quietMs) return;
    this.#socket.close();
    this.#lost(CODE_ABNORMAL, "Nothing was heard for too long");
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

  /** Another token is asked for once; when that is refused as well, more of them won't help. */
  #refused(reason) {
    if (this.#tokenWasRefused) {
      this.#forgetToken();
      this.#end(CODE_BAD_TOKEN, reason);
    } else {
      this.#forgetToken();
      this.#open();
    }
  }

  #forgetToken() {
    this.#token = null;
    this.#tokenWasRefused = true;
  }

  #retry(code, reason) {
    if (this.#attempt >= this.#attemptsMax) {
      this.#end(code, reason);
      return;
    }
    const delayMs =
      this.#drainMs === null ? retryDelayMs(this.#attempt++) : Math.random() * this.#drainMs;
    this.#drainMs = null;
    this.#retryTimer = setTimeout(() => this.#open(), delayMs);
    this.#setStatus({ state: "waiting", retryAt: Date.now() + delayMs, code, reason });
  }

  #end(code, reason) {
    this.#opening++;
    clearTimeout(this.#retryTimer);
    const closed = new Closed(code, reason);
    for (const { timer, reject } of this.#pending.values()) {
      clearTimeout(timer);
      reject(closed);
    }
    this.#pending.clear();
    for (const { reject } of this.#waiters.splice(0)) reject(closed);
    this.#setStatus({ state: "closed", code, reason });
  }

  /** Lets go of the socket, whose last words no longer count. */
  #dropSocket() {
    const socket = this.#socket;
    this.#socket = null;
    clearInterval(this.#checkTimer);
    clearTimeout(this.#limitedTimer);
    if (socket) {
      socket.onmessage = socket.onclose = null;
      // A socket of the package `ws` throws an error that nobody takes.
      socket.onerror = () => {};
    }
    if (this.#welcomedAt && Date.now() - this.#welcomedAt > STABLE_MS) this.#attempt = 0;
    this.#welcomedAt = 0;
    this.#rejoins.clear();
    return socket;
  }

  #setStatus(status) {
    this.#status = status;
    this.#emit("status", status);
  }

  /** Everything missed has been told, or nothing was to be: commands may go out again. */
  #online(resumed) {
    for (const join of this.#rooms.joins.values()) {
      // To join a room that is being left would undo a leaving that has happened.
      if (!this.#isLeaving(join.roomId)) this.#rejoins.set(this.#newId(), join);
    }
    this.#sendUnanswered();
    for (const { resolve } of this.#waiters.splice(0)) resolve(this.#welcome);
    this.#setStatus({ state: "online", resumed });
  }

  #isLeaving(roomId) {
    return [...this.#pending.values()].some(
      ({ command }) => command.roomId === roomId && /^(room|game):leave$/.test(command.type),
    );
  }

  #newId() {
    return `${this.#idPrefix}-${++this.#idCount}`;
  }

  /** A message above the limit would cost the connection. */
  #frame(message) {
    const frame = JSON.stringify(message);
    const { messageBytesMax = Infinity } = this.limits ?? {};
    // Few messages come near the limit; UTF-8 has at most three bytes for each unit of UTF-16.
    if (3 * frame.length > messageBytesMax && ENCODER.encode(frame).length > messageBytesMax) {
      throw new RangeError(`${message.type} has more than ${messageBytesMax} bytes`);
    }
    return frame;
  }

  #transmit(frame) {
    this.#socket.send(frame);
  }

  // What comes

  #received(data) {
    const socket = this.#socket;
    this.#heardAt = Date.now();
    const message = JSON.parse(data);
    if (this.#takeIn(message)) {
      this.#emit(message.type, message);
      this.#emit("message", message);
    }
    // A listener may have closed the client.
    if (socket === this.#socket) this.#goOn(message);
  }

  /** Brings what is kept up to date; answers whether anybody is to hear of the message. */
  #takeIn(message) {
    this.#moveCursor(message);
    switch (message.type) {
      case "welcome":
        this.#welcome = message;
        this.#welcomedAt = Date.now();
        this.#tokenWasRefused = false;
        this.#rooms.connected();
        break;
      case "session:state":
        this.#session = message;
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
        // Who was only away is joined again.
        if (message.userId === this.user.id && message.reason !== "offline") {
          this.#rooms.forget(message.roomId);
        }
        break;
      case "room:closed":
        this.#rooms.forget(message.roomId);
        break;
      case "room:list":
        this.#noteRoomPage(message);
        break;
      case "server:draining":
        this.#drainMs = message.retryMs;
        break;
      case "error":
        return this.#failed(message);
    }
    return true;
  }

  /** An ack moves no cursor: what another socket has caused up to there may be still to come. */
  #moveCursor({ type, position, epoch, to }) {
    if (type === "resync" || (type === "welcome" && !this.#resumes)) {
      this.#cursor = { position, epoch };
    } else if (type === "resumed") {
      this.#cursor.position = Math.max(this.#cursor.position, to);
    } else if (type !== "welcome" && type !== "ack" && position !== undefined) {
      this.#cursor.position = Math.max(this.#cursor.position, position);
    }
  }

  /** What follows from a message when everybody has heard of it. */
  #goOn(message) {
    switch (message.type) {
      case "user:list":
        // Without anything to resume, it is the last message of the greeting.
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
    if (!request) return;
    const { command, page, resolve } = request;
    this.#rooms.answered(command, answer);
    resolve(page ?? answer);
  }

  /** Answers whether the page is to hear of an error: one that answers a request is thrown there. */
  #failed({ id, code, message }) {
    const join = this.#rejoins.get(id);
    if (code === "RATE_LIMITED" || (join && code === "UNAVAILABLE")) {
      this.#sendAgainSoon();
      return true;
    }
    if (join) {
      this.#rejoins.delete(id);
      this.#rooms.forget(join.roomId);
      this.#emit("rooms", this.rooms);
      return true;
    }
    const request = this.#takePending(id);
    request?.reject(new Refused(code, message));
    return !request;
  }

  #takePending(id) {
    const request = this.#pending.get(id);
    clearTimeout(request?.timer);
    this.#pending.delete(id);
    return request;
  }

  /** The pages of `room:list` carry no id; they come in the order in which they were asked for. */
  #noteRoomPage(page) {
    for (const request of this.#pending.values()) {
      if (request.command.type === "room:list" && !request.page) {
        request.page = page;
        return;
      }
    }
  }

  /** Of a message above the rate the id may not be known, so all that have no answer are sent. */
  #sendAgainSoon() {
    clearTimeout(this.#limitedTimer);
    this.#limitedTimer = setTimeout(() => this.#sendUnanswered(), RATE_LIMITED_WAIT_MS);
  }

  #sendUnanswered() {
    for (const [id, join] of this.#rejoins) this.#transmit(JSON.stringify({ ...join, id }));
    for (const request of this.#pending.values()) {
      request.page = undefined;
      this.#transmit(request.frame);
    }
  }

  async #refreshToken() {
    try {
      const token = await this.#askToken("expiring");
      await this.request({ type: "auth:refresh", token });
      this.#token = token;
    } catch {
      // Then the socket is closed when the token ends, and another token is asked for.
    }
  }

  #emit(type, event) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        // What a listener does wrong is for its author to see, and must not stop the others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
