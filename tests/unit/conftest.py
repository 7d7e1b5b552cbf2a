"""What a test tries that says nothing of its own: see `tests.effort`."""

from hypothesis import settings

from tests.effort import effort

settings.register_profile("effort", effort())
settings.load_profile("effort")
