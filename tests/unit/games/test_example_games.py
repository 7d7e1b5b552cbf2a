"""The example packages of games pass their own tests, which are those of the kit."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).parents[3] / "examples" / "games"


def load_tests_of(package: str) -> ModuleType:
    """Load the test module of a package that is not installed."""
    sys.path.append(str(EXAMPLES / package))
    spec = spec_from_file_location(
        f"tests_of_{package}", EXAMPLES / package / "tests/test_rules.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    # The kit finds the recordings by the file of the class.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TestRace = load_tests_of("race").TestRace
TestRockPaperScissors = load_tests_of("rock_paper_scissors").TestRockPaperScissors
