// One socket that stays: it comes back after every loss, except when the server says that
// coming back is useless. The server then tells anew where this user is, so nothing is kept
// or sent again here.

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 15_000;
const STABLE_MS = 5_000;
const CHECK_EVERY_MS = 5_000;
const QUIET_MS = 20_000;
const ANSWER_WITHIN_MS = 10_000;

const BAD_TOKEN = 1008;
const FINAL = new Map([
  [4503, "The server ended your session."],
  [4504, "You have too many tabs open. Close some, then try again."],
]);

/**
 * How long to wait before a try: exponential, with full jitter, so that the pages of a
 * restarted server do not all come back at once.
 * @param {number} attempt 0 for the first try after a loss
 * @param {() => number} [random] in [0, 1)
 * @returns {number} milliseconds
 */
export function retryDelayMs(attempt, random = Math.random) {
  return random() * Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** attempt);
}

/**
 * @typedef {{state: "connecting", retryAt?: number} | {state: "online"}
 *   | {state: "offline", reason?: string}} Status `retryAt` is on the clock of `Date.now()`.
 */

export class Connection {
  #token;
  #handlers;
  /** @type {WebSocket | null} */ #socket = null;
  #attempt = 0;
  #welcomedAt = 0;
  #retryTimer = 0;
  #checkTimer = 0;
  #heardAt = 0;
  #probedAt = 0;

  /**
   * @param {string} token
   * @param {{onMessage: (message: any) => void, onStatus: (status: Status) => void,
   *   onRefused: (reason: string) => void}} handlers
   */
  constructor(token, handlers) {
    this.#token = token;
    this.#handlers = handlers;
  }

  /** Connects now; also the way to cut a wait short. Does nothing while a socket is there. */
  open() {
    if (this.#socket) return;
    clearTimeout(this.#retryTimer);
    this.#handlers.onStatus({ state: "connecting" });
    const url = new URL("/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("token", this.#token);
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#heardAt = Date.now();
    this.#probedAt = 0;
    this.#checkTimer = setInterval(() => this.#check(), CHECK_EVERY_MS);
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
  }

  /**
   * Sends one message if the socket is open.
   * @param {{type: string}} message
   * @returns {boolean} whether it went out
   */
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Goes for good: the user signs out. */
  close() {
    const socket = this.#drop();
    socket?.close(1000);
    clearTimeout(this.#retryTimer);
    this.#handlers.onStatus({ state: "offline" });
  }

  /** @param {unknown} data */
  #received(data) {
    this.#heardAt = Date.now();
    let message;
    try {
      message = JSON.parse(String(data));
    } catch {
      return;
    }
    if (message.type === "welcome") {
      this.#welcomedAt = Date.now();
      this.#handlers.onStatus({ state: "online" });
    }
    this.#handlers.onMessage(message);
  }

  #lost(code, reason) {
    this.#drop();
    // Only a connection that held for a while proves that the server is well again.
    if (this.#welcomedAt && Date.now() - this.#welcomedAt > STABLE_MS) this.#attempt = 0;
    this.#welcomedAt = 0;
    if (code === BAD_TOKEN) {
      this.#handlers.onStatus({ state: "offline" });
      this.#handlers.onRefused(reason);
    } else if (FINAL.has(code)) {
      this.#handlers.onStatus({ state: "offline", reason: FINAL.get(code) });
    } else {
      const delay = retryDelayMs(this.#attempt++);
      this.#retryTimer = setTimeout(() => this.open(), delay);
      this.#handlers.onStatus({ state: "connecting", retryAt: Date.now() + delay });
    }
  }

  /** A browser never reports a silent dead link by itself, so a quiet one is asked something. */
  #check() {
    const now = Date.now();
    if (this.#probedAt > this.#heardAt) {
      if (now - this.#probedAt < ANSWER_WITHIN_MS) return;
      this.#socket?.close();
      this.#lost(1006, "");
    } else if (now - this.#heardAt > QUIET_MS) {
      // While the socket still opens nothing can be asked, but the wait for an answer begins.
      this.send({ type: "user:list:request" });
      this.#probedAt = now;
    }
  }

  /** Lets go of the socket, whose last words no longer count. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    clearInterval(this.#checkTimer);
    if (socket) socket.onmessage = socket.onclose = null;
    return socket;
  }
}
