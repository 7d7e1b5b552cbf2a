"""A node of the release before, as far as events go: `python -m tests.cluster.older_node serve`.

It reads no event that needs a higher level than 1, and says so to the others.
"""

from __future__ import annotations

from service.domain import events
from service.eventstore import codec

LEVEL = 1


def make_older() -> None:
    """Forget what later levels have brought; before anything else of the service is imported."""
    events.LEVEL = LEVEL
    for kind in events.EVENT_TYPES:
        if kind.needs_level <= LEVEL:
            continue
        version = kind.former.schema_version if kind.former is not None else 0
        del codec._CURRENT[kind.type, kind.schema_version]
        if version:
            kind.schema_version = version
        else:
            del codec._TYPES[kind.type]


if __name__ == "__main__":
    make_older()
    from service.cli import main

    main()
