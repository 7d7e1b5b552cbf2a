"""Projections: state that events are folded into; one module per concept."""
