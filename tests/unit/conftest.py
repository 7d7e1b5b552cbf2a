"""What a test tries that says nothing of its own: see `tests.effort`."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Set the profile of Hypothesis where tests run: xdist's controller runs none.

    It starts the workers only afterwards, and the import takes it half a second.
    """
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return
    from hypothesis import settings  # noqa: PLC0415 - see above

    from tests.effort import effort  # noqa: PLC0415 - see above

    settings.register_profile("effort", effort())
    settings.load_profile("effort")
