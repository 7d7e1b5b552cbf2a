// The types of testing.js.

type SocketClass = new (url: URL, protocols: string[]) => object;

/**
 * Returns a class like `WebSocket` whose messages, opening and close arrive later: by `delayMs` each way,
 * and up to `jitterMs` more, in order. Give it to a client as its option `WebSocket`.
 */
export function delayedWebSocket(
    link: { delayMs: number; jitterMs?: number; random?: () => number },
    WebSocket?: SocketClass,
): SocketClass;
