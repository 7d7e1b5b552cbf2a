"""The progress of what takes long, for the commands that write whole logs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import Progress

from service.cli.common import ended_by_sigterm, progress_console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar; the yielded function takes the completed and the total amount.

    SIGTERM ends it as Ctrl-C does.
    """
    with ended_by_sigterm(), Progress(console=progress_console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
