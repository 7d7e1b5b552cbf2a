"""The hot paths between frames and sockets: `wire/`, which is in C, or its twin in Python.

Output starts here and nowhere else: frames are queued for connections, and `Output.flush` writes
them.
"""
