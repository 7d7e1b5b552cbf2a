"""The number of Hypothesis examples: full, or reduced for development (`make unit`)."""

import os

from hypothesis import settings

DEVELOPMENT = "dev"
EXAMPLES_MAX = 5
STEPS_MAX = 15


def effort(examples: int = 100, steps: int = 50) -> settings:
    """Try so many examples, of so many steps each; with HYPOTHESIS_PROFILE=dev only a few."""
    if os.environ.get("HYPOTHESIS_PROFILE") == DEVELOPMENT:
        examples, steps = min(examples, EXAMPLES_MAX), min(steps, STEPS_MAX)
    return settings(max_examples=examples, stateful_step_count=steps, deadline=None)
