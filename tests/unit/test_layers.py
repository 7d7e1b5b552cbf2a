"""Imports within the service have no circle; within a package, not even those for annotations."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]

ANNOTATED = sorted(path.parent.name for path in (HOME / "service").glob("*/__init__.py"))


def modules(package: str) -> dict[str, Path]:
    """Return the modules below a package, by their dotted names."""
    root = HOME / package.replace(".", "/")
    return {name_of(path): path for path in sorted(root.rglob("*.py"))}


def name_of(path: Path) -> str:
    parts = path.relative_to(HOME).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, *, annotations: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Find the imports in a tree; with `annotations`, also those under TYPE_CHECKING."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for part in [*(node.body if annotations else ()), *node.orelse]:
                yield from imports(ast.Module([part], []), annotations=annotations)
        elif not isinstance(node, ast.expr):
            yield from imports(node, annotations=annotations)


def imported(source: str, known: set[str], *, annotations: bool) -> set[str]:
    """Name the known modules that a source imports."""
    named: set[str] = set()
    for node in imports(ast.parse(source), annotations=annotations):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif node.module is not None:
            for alias in node.names:
                part = f"{node.module}.{alias.name}"
                named.add(part if part in known else node.module)
    return named & known


def circle_of(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of a circle, if there is one."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def graph_of(package: str, *, annotations: bool) -> dict[str, set[str]]:
    found = modules(package)
    known = set(found)
    return {
        name: imported(path.read_text(), known, annotations=annotations)
        for name, path in found.items()
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
    assert imported(SOURCE, known, annotations=False) == {"b", "p.d", "p.e"}
    assert imported(SOURCE, known, annotations=True) == {"b", "p.c", "p.d", "p.e"}


def test_a_circle_is_found_and_named() -> None:
    found = circle_of({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert set(found) == {"a", "b", "c"}
    assert circle_of({"a": {"b"}, "b": {"c"}, "c": set()}) == []
