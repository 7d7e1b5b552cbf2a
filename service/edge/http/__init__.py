"""HTTP: connections and their limits, probes, pages, development tokens."""
