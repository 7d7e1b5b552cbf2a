"""Shared parts of the scripts of `make crash`, `make hostile` and `make torture`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

INTERRUPTED = 130
"""The exit code of what Ctrl-C has ended, as a shell has it."""


def run_script(main: Callable[[], int]) -> None:
    """Run a script and exit; Ctrl-C and SIGTERM end it and what it started, without a traceback.

    The services of a script are children that it ends in `finally`; so SIGTERM has to raise, too.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = main()
    except KeyboardInterrupt:
        sys.stdout.write("interrupted\n")
        code = INTERRUPTED
    sys.exit(code)
