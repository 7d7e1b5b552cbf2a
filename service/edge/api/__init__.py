"""The API over HTTP, beside the sockets: `routes` is the table that all else follows from."""
