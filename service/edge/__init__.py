"""Network edge: translate WebSocket, Socket.IO and HTTP traffic to commands and back."""
