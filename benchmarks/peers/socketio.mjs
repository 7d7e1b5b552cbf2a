// The same relay with Socket.IO, as its documentation shows: rooms and events of the library.
import { createServer } from "node:http";
import jwt from "jsonwebtoken";
import { Server } from "socket.io";

const server = createServer();
const io = new Server(server, { transports: ["websocket"] });

io.use((socket, next) => {
  try {
    const token = socket.handshake.auth.token ?? socket.handshake.query.token;
    socket.data.user = jwt.verify(token, process.env.JWT_SECRET, { algorithms: ["HS256"] });
    next();
  } catch {
    next(new Error("Invalid or expired token"));
  }
});

io.on("connection", (socket) => {
  const { id, name } = socket.data.user;
  socket.emit("welcome", { user: { id, name } });
  socket.on("ping", (message) => socket.emit("pong", { id: message.id }));
  socket.on("room:join", (message) => {
    socket.join(message.roomId);
    socket.emit("ack", { id: message.id });
  });
  socket.on("signal", ({ roomId, data }) => {
    if (socket.rooms.has(roomId)) socket.to(roomId).emit("signal", { from: id, roomId, data });
  });
});

server.listen(0, "127.0.0.1", 4096, () => {
  console.log(`listening ${server.address().port}`);
});
