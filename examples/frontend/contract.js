// The socket of the classic contract: `send(type, fields)`, and an event for each message.

const RECONNECT_MS = 1000;
const BAD_TOKEN = 1008;
const BROKEN = 1006;

class Messages extends EventTarget {
  /** @param {Record<string, (message: any) => void>} handlers by type of message */
  handle(handlers) {
    for (const [type, handler] of Object.entries(handlers)) {
      this.addEventListener(type, (event) => handler(/** @type {CustomEvent} */ (event).detail));
    }
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** A plain WebSocket. */
export class Socket extends Messages {
  #url;
  #socket = /** @type {WebSocket | null} */ (null);

  /** @param {string} url where the service is, without the token */
  constructor(url) {
    super();
    this.#url = url;
  }

  /** Connects, and again whenever the connection breaks; a refused token ends that. */
  open(token) {
    const socket = new WebSocket(`${this.#url}/?token=${encodeURIComponent(token)}`);
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      this.tell(message.type, message);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      this.tell("closed", { code, reason });
      if (code !== BAD_TOKEN) setTimeout(() => this.#socket === socket && this.open(token), RECONNECT_MS);
    };
  }

  close() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  send(type, fields = {}) {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ type, ...fields }));
    }
  }
}

/** The same by `socket.io-client`, which connects again by itself. */
export class SocketIo extends Messages {
  #url;
  #socket = null;

  /** @param {string} url where the service is, without the token */
  constructor(url) {
    super();
    this.#url = url;
  }

  async open(token) {
    const { io } = await import("/socket.io.js");
    const socket = io(this.#url, { auth: { token }, forceNew: true });
    this.#socket = socket;
    socket.onAny((type, fields) => this.tell(type, fields));
    socket.on("disconnect", (reason) => {
      if (this.#socket === socket) this.tell("closed", { code: BROKEN, reason });
    });
    // A socket that is not active any more was refused.
    socket.on("connect_error", ({ message }) => {
      this.tell("closed", { code: socket.active ? BROKEN : BAD_TOKEN, reason: message });
    });
  }

  close() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.disconnect();
  }

  send(type, fields = {}) {
    if (this.#socket?.connected) this.#socket.emit(type, fields);
  }
}
