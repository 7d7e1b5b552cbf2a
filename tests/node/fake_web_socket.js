// A WebSocket that a test plays the service of; for unit tests only.

export class FakeWebSocket {
  /** All that were opened since `forget`, the newest last. */
  static opened = [];

  static get newest() {
    return FakeWebSocket.opened.at(-1);
  }

  static forget() {
    FakeWebSocket.opened = [];
  }

  sent = [];
  closedWith = null;

  constructor(url, protocols) {
    this.url = new URL(url);
    this.protocols = protocols;
    FakeWebSocket.opened.push(this);
  }

  send(frame) {
    this.sent.push(JSON.parse(frame));
  }

  close(code) {
    this.closedWith = code ?? 1005;
  }

  /** Deliver a message of the service. */
  says(type, fields = {}) {
    this.onmessage?.({ data: JSON.stringify({ type, ...fields }) });
  }

  /** The service goes, or the network does. */
  ends(code = 1006, reason = "") {
    this.onclose?.({ code, reason });
  }

  /** The first messages of a connection. */
  greets({ position = 100, epoch = "e1", users = [], v = 1, user = 7, ...more } = {}) {
    this.says("welcome", {
      user: { id: user, name: "Ana" },
      sessionId: "n1.1.1",
      protocol: "ws-service.v1",
      epoch,
      position,
      heartbeatMs: 10_000,
      limits: { messageBytesMax: 1000, messagesPerS: 120, messagesBurst: 240, chatLengthMax: 500 },
      ...more,
    });
    this.says("session:state", { inRoom: false, roomId: null });
    this.says("user:list", { users, v });
  }

  /** The messages of a type that were sent. */
  sentOf(type) {
    return this.sent.filter((message) => message.type === type);
  }
}
