// Slow links for tests: a WebSocket whose messages take their time, in both directions.

/**
 * Returns a class like `WebSocket` whose messages, and opening and close, arrive later: by `delayMs`
 * each way, and up to `jitterMs` more, in order. Give it to a client as its option `WebSocket`.
 */
export function delayedWebSocket(
  { delayMs, jitterMs = 0, random = Math.random },
  WebSocket = globalThis.WebSocket,
) {
  return class DelayedWebSocket {
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;
    #socket;
    #sent = new Delays(delayMs, jitterMs, random);
    #received = new Delays(delayMs, jitterMs, random);

    constructor(url, protocols) {
      this.#socket = new WebSocket(url, protocols);
      for (const type of ["onopen", "onmessage", "onclose", "onerror"]) {
        this.#socket[type] = (event) => this.#received.add(() => this[type]?.(event));
      }
    }

    send(data) {
      this.#sent.add(() => this.#socket.send(data));
    }

    close(code, reason) {
      this.#sent.add(() => this.#socket.close(code, reason));
    }
  };
}

/** Calls that are made later, in order. */
class Delays {
  #delayMs;
  #jitterMs;
  #random;
  #lastAt = 0;
  #calls = [];

  constructor(delayMs, jitterMs, random) {
    this.#delayMs = delayMs;
    this.#jitterMs = jitterMs;
    this.#random = random;
  }

  add(call) {
    const now = performance.now();
    const wantedAt = now + this.#delayMs + this.#random() * this.#jitterMs;
    this.#lastAt = Math.max(this.#lastAt, wantedAt);
    // Timers of nearly the same time may run in any order.
    this.#calls.push(call);
    setTimeout(() => this.#calls.shift()(), this.#lastAt - now);
  }
}
