"""Sans-I/O session of one client: a frame in, actions out; pure."""
