"""Facts about the source files of the service; each file is parsed once for all tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

HOME = Path(__file__).parents[2]


class Import(NamedTuple):
    """One name of an import statement."""

    module: str
    name: str | None
    """What `from module import name` takes from it."""
    is_for_annotations: bool
    """Whether it stands under TYPE_CHECKING."""


class Source(NamedTuple):
    """What tests ask about a file."""

    text: str
    functions: dict[str, int]
    """The lines of each function, by its qualified name."""
    imports: tuple[Import, ...]

    @property
    def lines(self) -> int:
        """The number of its lines."""
        return len(self.text.splitlines())


@cache
def sources() -> dict[str, Source]:
    """Return the source files of the service by their names, such as `service/app.py`."""
    return {
        path.relative_to(HOME).as_posix(): read(path.read_text())
        for path in sorted((HOME / "service").rglob("*.py"))
    }


def read(text: str) -> Source:
    """Parse the text of a file."""
    tree = ast.parse(text)
    return Source(text, dict(_functions(tree)), tuple(_imports(tree)))


def _functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, int]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.expr):
            continue
        inner = within
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inner = f"{within}{node.name}."
            if not isinstance(node, ast.ClassDef):
                yield f"{within}{node.name}", (node.end_lineno or 0) - node.lineno + 1
        yield from _functions(node, inner)


def _imports(tree: ast.AST, *, is_for_annotations: bool = False) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, is_for_annotations)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(node.module or "", alias.name, is_for_annotations)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(ast.Module(node.body, []), is_for_annotations=True)
            yield from _imports(ast.Module(node.orelse, []), is_for_annotations=is_for_annotations)
        elif not isinstance(node, ast.expr):
            yield from _imports(node, is_for_annotations=is_for_annotations)
