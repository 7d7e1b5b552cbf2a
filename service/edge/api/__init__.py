"""HTTP API under `/api/v1`; `routes` is the table of its endpoints."""
