"""The tree of errors: complete, and drawn in the docstring of `service.errors`."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING

import service
import service.errors
from service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator


def import_all() -> None:
    for module in pkgutil.walk_packages(service.__path__, "service."):
        if not module.name.endswith(("__main__", ".otel")):
            importlib.import_module(module.name)


def is_ours(error: type[BaseException]) -> bool:
    return error.__module__.startswith("service.") and not error.__name__.startswith("_")


def descendants(error: type[BaseException]) -> Iterator[type[BaseException]]:
    for child in error.__subclasses__():
        yield child
        yield from descendants(child)


def drawn(error: type[ServiceError], depth: int = 0) -> Iterator[str]:
    yield f"{'    ' * depth}* {error.__name__}"
    for child in sorted(error.__subclasses__(), key=lambda child: child.__name__):
        if is_ours(child):
            yield from drawn(child, depth + 1)


def test_every_public_exception_derives_from_service_error() -> None:
    import_all()
    strangers = {
        error.__qualname__
        for error in descendants(BaseException)
        if is_ours(error) and not issubclass(error, ServiceError)
    }
    assert not strangers


def test_the_tree_of_errors_is_drawn_in_the_docstring_of_its_module() -> None:
    import_all()
    docstring = service.errors.__doc__ or ""
    lines = [line for line in docstring.splitlines() if re.match(r" *\* \w+$", line)]
    assert lines == list(drawn(ServiceError)), "draw the tree anew:\n" + "\n".join(
        drawn(ServiceError)
    )


def test_an_error_without_a_message_has_its_docstring_as_message() -> None:
    assert service.errors.Unavailable().message == service.errors.Unavailable.__doc__
