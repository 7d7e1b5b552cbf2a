"""Socket.IO 5 over Engine.IO 4, for `socket.io-client` 4: a thin edge over the same sessions."""
