"""Chooses the kind of wire: the native one where it is installed and fits, else the twin."""

from __future__ import annotations

import importlib
from typing import Literal, TypeAlias

from service.edge.internals import MISSING
from service.edge.wire import python
from service.edge.wire.interface import Wire
from service.telemetry import get_logger

logger = get_logger(__name__)

Name: TypeAlias = Literal["native", "python"]

MODULE = "ws_service_wire"
"""What the distribution in `wire/` installs."""

INTERFACE = 2
"""The version of the interface, of which the native module says which one it has."""

PYTHON = Wire("python", python.Output, python.SendQueue, python.Reader)


def native() -> Wire:
    """Return the native kind; raises `ImportError` where it can't be used."""
    module = importlib.import_module(MODULE)
    if module.INTERFACE != INTERFACE:
        raise ImportError(f"{MODULE} has interface {module.INTERFACE}, not {INTERFACE}")
    return Wire("native", module.Output, module.SendQueue, module.Reader)


def choose(wanted: Name) -> Wire:
    """Return the kind that is wanted, or that in Python where the other can't be used."""
    if MISSING:
        logger.warning(
            "aiohttp or uvloop has changed, and is used in a slower way",
            metadata={"missing": ", ".join(MISSING)},
        )
    if wanted == "python":
        return PYTHON
    try:
        return native()
    except ModuleNotFoundError:
        logger.info("the native wire is not installed; Python does its work")
    except ImportError as error:
        logger.warning(
            "the native wire can't be used; Python does its work",
            metadata={"reason": str(error)},
        )
    return PYTHON
