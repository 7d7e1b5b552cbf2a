"""ws-service: an event-sourced realtime service for browser games."""

__version__ = "0.1.0"
