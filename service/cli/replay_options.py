"""Which options of `ws-service replay` go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTIONS = ("--live", "--fork", "--verify", "--export", "--at")
"""What is done instead of playing the match; one of them at the most."""

_ONLY_FOR = {
    "--hz": ("--export",),
    "--from": ("--export",),
    "--to": ("--export",),
    "--output": ("--export",),
    "--player": ("--fork",),
    "--password": ("--live",),
    "--url": ("--live", "--fork"),
}
_NOT_FOR = {
    "ID": ("--live",),
    "--import": ("--live",),
    "--json": ("--live", "--fork", "--verify", "--export"),
}


_NAMES = {"match": "ID", "import_": "--import", "start": "--from"}
"""The names of parameters that differ from those of the options."""


def named(params: Mapping[str, object]) -> dict[str, object]:
    """Return the values of options by their names, given by those of the parameters."""
    return {_NAMES.get(name, f"--{name}"): value for name, value in params.items()}


def check_together(given: Mapping[str, object]) -> None:
    """Raise `BadParameter` for an option that another one makes useless.

    `given` has the values of all options that may be; one is given if it is neither None, nor
    False, nor an empty list or tuple.
    """
    used = [name for name, value in given.items() if value not in (None, False, [], ())]
    actions = [name for name in used if name in ACTIONS]
    if len(actions) > 1:
        raise typer.BadParameter(
            f"choose one of {' and '.join(actions)}", param_hint=" and ".join(actions)
        )
    if {"ID", "--import"} <= set(used) and "--verify" not in used:
        raise typer.BadParameter("beside --import it is only for --verify", param_hint="ID")
    for name in used:
        allowed, refused = _ONLY_FOR.get(name), _NOT_FOR.get(name, ())
        if allowed is not None and not set(actions) & set(allowed):
            raise typer.BadParameter(f"it is only for {' and '.join(allowed)}", param_hint=name)
        if set(actions) & set(refused):
            raise typer.BadParameter(f"it does not go with {actions[0]}", param_hint=name)
