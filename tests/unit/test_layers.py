"""Imports within the service have no circle; within a package, not even those for annotations."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import pytest

from tests.unit.service_code import HOME, read, sources

if TYPE_CHECKING:
    from tests.unit.service_code import Source

ANNOTATED = sorted(path.parent.name for path in (HOME / "service").glob("*/__init__.py"))


def name_of(file: str) -> str:
    """Return the dotted name of the module in a file."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(source: Source, known: set[str], *, annotations: bool) -> set[str]:
    """Name the known modules that a source imports, with `annotations` also those for them."""
    named = set()
    for module, name, is_for_annotations in source.imports:
        if annotations or not is_for_annotations:
            part = f"{module}.{name}"
            named.add(part if part in known else module)
    return named & known


def circle_of(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of a circle, if there is one."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def graph_of(package: str, *, annotations: bool) -> dict[str, set[str]]:
    """Return the modules of a package, each with those of them that it imports."""
    modules = {name_of(file): source for file, source in sources().items()}
    found = {
        name: source
        for name, source in modules.items()
        if name == package or name.startswith(f"{package}.")
    }
    return {
        name: imported(source, set(found), annotations=annotations)
        for name, source in found.items()
    }


def test_no_module_of_the_service_imports_itself_by_way_of_others() -> None:
    assert circle_of(graph_of("service", annotations=False)) == []


@pytest.mark.parametrize(
    "package",
    [f"service.{package}" for package in ANNOTATED],
)
def test_no_module_of_a_package_is_annotated_by_what_imports_it(package: str) -> None:
    assert circle_of(graph_of(package, annotations=True)) == []


SOURCE = """
import b
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from p import c
else:
    from p.d import thing
def late():
    from p.e import thing
"""


def test_imports_are_found_wherever_they_stand() -> None:
    known = {"b", "p", "p.c", "p.d", "p.e"}
    assert imported(read(SOURCE), known, annotations=False) == {"b", "p.d", "p.e"}
    assert imported(read(SOURCE), known, annotations=True) == {"b", "p.c", "p.d", "p.e"}


def test_a_circle_is_found_and_named() -> None:
    found = circle_of({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert set(found) == {"a", "b", "c"}
    assert circle_of({"a": {"b"}, "b": {"c"}, "c": set()}) == []
