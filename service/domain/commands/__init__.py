"""Commands: each decides events or is refused; one module per concept."""
