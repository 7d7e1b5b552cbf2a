// The connection of the playground: a plain WebSocket, so that every frame can be seen.

const PROTOCOL = "ws-service.v1";

/** A code by which the service takes the user as gone for a moment, as after a lost connection. */
const CUT = 4999;

/**
 * @typedef {object} Seen
 * @property {"sent" | "received" | "note"} kind
 * @property {string} text
 * @property {any} [message] the frame, if it is JSON
 */

/** One user's connection in one dialect. */
export class Playground {
  #socket = /** @type {WebSocket | null} */ (null);
  #token = "";
  #dialect = "v1";
  /** The position and epoch to resume from; null before a `welcome`. */
  #cursor = /** @type {{position: number, epoch: string} | null} */ (null);
  #onChange;
  #onSeen;

  /**
   * @param {{onChange: () => void, onSeen: (seen: Seen) => void}} hooks
   */
  constructor({ onChange, onSeen }) {
    this.#onChange = onChange;
    this.#onSeen = onSeen;
  }

  /** `closed`, `connecting` or `open`. */
  get state() {
    const state = this.#socket?.readyState;
    if (state === WebSocket.OPEN) return "open";
    return state === WebSocket.CONNECTING ? "connecting" : "closed";
  }

  /** Whether a position is known from which the next connection can go on. */
  get canResume() {
    return this.#cursor !== null;
  }

  /** How the last connection ended; empty if by this page, or while there is one. */
  closedBy = "";

  /** Connects anew, without what was missed. */
  connect(token, dialect) {
    this.#token = token;
    this.#dialect = dialect;
    this.#cursor = null;
    this.#open(new URL("/ws", location.href));
  }

  /** Connects again, and asks for what was missed. */
  resume() {
    const url = new URL("/ws", location.href);
    if (this.#cursor) {
      url.searchParams.set("since", String(this.#cursor.position));
      url.searchParams.set("epoch", this.#cursor.epoch);
    }
    this.#open(url);
  }

  send(text) {
    this.#socket?.send(text);
    this.#onSeen({ kind: "sent", text, message: parsed(text) });
  }

  /** Loses the connection: for the service the user may come back within their grace period. */
  cut() {
    this.#close(CUT, "the connection was cut");
  }

  /** Logs out. */
  disconnect() {
    this.#close(1000, "disconnected");
  }

  #close(code, what) {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.close(code);
    this.#onSeen({ kind: "note", text: what });
    this.#onChange();
  }

  #open(url) {
    this.#close(1000, "disconnected");
    url.protocol = url.protocol.replace("http", "ws");
    const secret = `bearer.${this.#token}`;
    const isV1 = this.#dialect === "v1";
    if (!isV1) url.searchParams.set("token", this.#token);
    const socket = isV1 ? new WebSocket(url, [PROTOCOL, secret]) : new WebSocket(url);
    this.#socket = socket;
    this.closedBy = "";
    const isCurrent = () => this.#socket === socket;
    socket.addEventListener("open", () => {
      this.#onSeen({ kind: "note", text: "connected" });
      this.#onChange();
    });
    socket.addEventListener("message", ({ data }) => {
      if (!isCurrent()) return;
      const message = parsed(data);
      this.#follow(message);
      this.#onSeen({ kind: "received", text: data, message });
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (!isCurrent()) return;
      this.#socket = null;
      this.closedBy = `closed with ${code} ${reason}`.trim();
      this.#onSeen({ kind: "note", text: this.closedBy });
      this.#onChange();
    });
    this.#onChange();
  }

  /** Keeps the position of what was received. */
  #follow(message) {
    if (message?.epoch !== undefined && message?.position !== undefined) {
      this.#cursor = { position: message.position, epoch: message.epoch };
    } else if (this.#cursor && typeof message?.position === "number") {
      this.#cursor.position = Math.max(this.#cursor.position, message.position);
    }
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
