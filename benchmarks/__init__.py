"""The instrument: what the service and its peers cost, measured side by side."""
