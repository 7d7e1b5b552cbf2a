"""The edge: sockets and HTTP on one side, commands and deliveries on the other."""
