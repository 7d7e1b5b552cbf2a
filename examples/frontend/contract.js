// The socket of the classic contract: `send(type, fields)`, and an event for each message.

const RECONNECT_MS = 1000;
const BAD_TOKEN = 1008;

export class Socket extends EventTarget {
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
      this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      this.dispatchEvent(new CustomEvent("closed", { detail: { code, reason } }));
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

  /** @param {Record<string, (message: any) => void>} handlers by type of message */
  handle(handlers) {
    for (const [type, handler] of Object.entries(handlers)) {
      this.addEventListener(type, (event) => handler(/** @type {CustomEvent} */ (event).detail));
    }
  }
}
