// The same relay on Bun, whose server is uWebSockets (C++): its own topics do the fan-out.
import jwt from "jsonwebtoken";

const handlers = {
  ping: (ws, { id }) => send(ws, { type: "pong", id }),
  "room:join": (ws, { id, roomId }) => {
    ws.subscribe(roomId);
    send(ws, { type: "ack", id });
  },
  signal: (ws, { roomId, data }) => {
    if (!ws.isSubscribed(roomId)) {
      send(ws, { type: "error", code: "NOT_IN_ROOM", message: "Join the room first." });
      return;
    }
    ws.publish(roomId, JSON.stringify({ type: "signal", from: ws.data.id, roomId, data }));
  },
};

function send(ws, message) {
  ws.send(JSON.stringify(message));
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const { searchParams } = new URL(request.url);
    let claims;
    try {
      claims = jwt.verify(searchParams.get("token"), process.env.JWT_SECRET, {
        algorithms: ["HS256"],
      });
    } catch {
      return new Response("Invalid or expired token", { status: 401 });
    }
    return server.upgrade(request, { data: claims }) ? undefined : new Response(null, { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    publishToSelf: false,
    open: (ws) => send(ws, { type: "welcome", user: { id: ws.data.id, name: ws.data.name } }),
    message(ws, text) {
      let message;
      try {
        message = JSON.parse(text);
      } catch {
        send(ws, { type: "error", code: "BAD_JSON", message: "The frame is not JSON." });
        return;
      }
      if (Object.hasOwn(handlers, message.type)) handlers[message.type](ws, message);
      else send(ws, { type: "error", code: "UNKNOWN_TYPE", message: `No message ${message.type}.` });
    },
  },
});
console.log(`listening ${server.port}`);
