"""Mutation tests: change one thing in the code at a time, and see whether a unit test fails.

    make mutants PER_MODULE=30 SEED=1 ONLY=service/domain/commands

A mutant is one change: a comparison or a condition is turned round, `and` becomes `or`, `+`
becomes `-`, a number grows or shrinks by one, a statement or a returned value is left out. From
each module that `TESTS` names, so many mutants are drawn, the same for the same seed (0 takes all).

Each mutant runs in a process of its own, forked from this one, on a copy of the tree; the mutated
module is compiled in memory, so no file changes. The unit tests of its row of `TESTS` run until one
fails, those that name the module first. Then the mutant is killed; and so is one that makes the
tests take much longer than they did without it. One that survives shows what no test knows.

Mutants equivalent to the code are listed in `tools/mutants_accepted.txt` and are not counted:

    service/games/x.py Class.method: before -> after  # reason

Exits with 1 when too few mutants were killed; with 2 when tests fail without any mutant, or an
accepted mutant does not exist any more.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.util
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple, TypeAlias

import hypothesis
import pytest

HOME = Path(__file__).parent.parent
ACCEPTED = "tools/mutants_accepted.txt"

TESTS = {
    "service/domain/": ("domain/**/test_*.py",),
    "service/games/": ("games/test_*.py",),
    "service/edge/backlog": ("edge/test_backlog*.py",),
    "service/edge/session": (
        *("edge/test_session*.py", "edge/test_guard.py"),
        *("edge/test_salvage.py", "edge/test_budget.py"),
    ),
}
"""How the paths of modules begin, and which tests, under tests/unit, are to kill their mutants."""

PYTEST = [
    *("-x", "-q", "--no-header", "--tb=short", "--hypothesis-profile=mutants"),
    *("-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "pytest_timeout"),
    *("-p", "_hypothesis_pytestplugin"),
]

SLOWER_MAX, MARGIN_S = 4, 10
"""The timeout of a mutant's tests, as a multiple of their time without it, plus some seconds."""

SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}

NOT_RUN = {"annotation", "returns", "decorator_list", "bases", "keywords"}
"""The parts of definitions that do not affect behaviour."""


class Change(NamedTuple):
    """A change of a tree, which `changes` undoes before the next one."""

    line: int
    text: str
    """The place and the change, without a line number, so that added code does not alter it."""
    tree: ast.Module


class Mutant(NamedTuple):
    """A module with one change."""

    path: str
    line: int
    text: str
    code: CodeType


def changes(tree: ast.Module) -> Iterator[Change]:
    """Apply each possible change to `tree`, one at a time."""
    for within, statement, put, undo in _replacements(tree, "", None, in_function=False):
        before = ast.unparse(statement).splitlines()
        other = put()
        after = ast.unparse(other or statement).splitlines()
        was, becomes = next(
            ((one, two) for one, two in zip(before, after, strict=False) if one != two),
            (before[0], after[0]),
        )
        line = getattr(statement, "lineno", 0)
        text = f"{within}: {was.strip()} -> {becomes.strip()}"
        yield Change(line, text, ast.fix_missing_locations(tree))
        undo()


_Put: TypeAlias = Callable[[], ast.AST | None]
_Replacement: TypeAlias = tuple[str, ast.AST, _Put, _Put]


def _replacements(
    parent: ast.AST, within: str, statement: ast.AST | None, *, in_function: bool
) -> Iterator[_Replacement]:
    """Yield each replacement with its definition and statement."""
    is_definition = isinstance(parent, ast.ClassDef | ast.FunctionDef | ast.arg | ast.AnnAssign)
    for name, value in ast.iter_fields(parent):
        if is_definition and name in NOT_RUN:
            continue
        many = isinstance(value, list)
        for index, node in enumerate(value if many else [value]):
            if not isinstance(node, ast.AST) or _is_ignored(node):
                continue
            here = node if isinstance(node, ast.stmt) else statement
            for other in _others(parent, name, node, in_function=in_function):
                at = index if many else None
                put, undo = _setter(parent, name, at, other), _setter(parent, name, at, node)
                yield within, here or parent, put, undo
            inner = within
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                inner = f"{within}.{node.name}".strip(".")
            inside = in_function or isinstance(node, ast.FunctionDef)
            yield from _replacements(node, inner, here, in_function=inside)


def _is_ignored(node: ast.AST) -> bool:
    """Return whether a node is a docstring, typing only, or `zip(strict=True)`."""
    match node:
        case ast.Expr(ast.Constant(str())) | ast.If(ast.Name("TYPE_CHECKING")):
            return True
        case ast.Expr(ast.Call(ast.Name("assert_never"))) | ast.keyword("strict"):
            return True
        case ast.AnnAssign(annotation=ast.Name("TypeAlias")):
            return True
        case _:
            return False


def _others(parent: ast.AST, name: str, node: ast.AST, *, in_function: bool) -> Iterator[ast.AST]:
    """Return the possible replacements of `node`."""
    if type(node) in SWAPPED:
        yield SWAPPED[type(node)]()
    is_condition = name == "test" or (name == "ifs" and isinstance(parent, ast.comprehension))
    match node:
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.expr() if is_condition and not isinstance(node, ast.Compare):
            yield ast.UnaryOp(ast.Not(), node)
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(number) | float(number)):
            yield from (ast.Constant(number + 1), ast.Constant(number - 1))
        case ast.Return(ast.expr() as value) if ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.Expr() | ast.Raise() | ast.Delete() | ast.AugAssign() | ast.Continue():
            yield ast.Pass()
        case ast.Assign() | ast.AnnAssign(value=ast.expr()) if in_function:
            yield ast.Pass()
        case _:
            pass


def _setter(parent: ast.AST, name: str, index: int | None, node: ast.AST) -> _Put:
    def put() -> ast.AST | None:
        if index is None:
            setattr(parent, name, node)
        else:
            getattr(parent, name)[index] = node
        return node if isinstance(node, ast.stmt) else None

    return put


def mutants(home: Path, path: str) -> list[Mutant]:
    """Yield every mutant of a module."""
    tree = ast.parse((home / path).read_text())
    return [
        Mutant(path, change.line, change.text, compile(change.tree, str(home / path), "exec"))
        for change in changes(tree)
    ]


def accepted(home: Path) -> set[tuple[str, str]]:
    """Read the accepted mutants as (module, text)."""
    lines = (home / ACCEPTED).read_text().splitlines()
    listed = [line.partition("  # ")[0] for line in lines if line and not line.startswith("#")]
    return {(path, text) for path, _, text in (line.partition(" ") for line in listed)}


class _Finder(MetaPathFinder, Loader):
    """Import hook that loads the mutant instead of the file."""

    def __init__(self, home: Path, mutant: Mutant) -> None:
        self.mutant = mutant
        self.file = home / mutant.path
        self.name = module_name(mutant.path)

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        package = [str(self.file.parent)] if self.file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, self.file, loader=self, submodule_search_locations=package
        )

    def create_module(self, _spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.mutant.code, module.__dict__)  # noqa: S102 - that is the mutant


def module_name(path: str) -> str:
    """Return the name by which a module is imported."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def split_tests(home: Path, path: str) -> tuple[list[str], list[str]]:
    """Return the test files of a module: those that import it first, then the others."""
    patterns = next(tests for start, tests in TESTS.items() if path.startswith(start))
    files = sorted({file for one in patterns for file in (home / "tests/unit").glob(one)})
    named = re.compile(rf"\b{re.escape(module_name(path))}\b")
    near = [str(file) for file in files if named.search(file.read_text())]
    return near, [str(file) for file in files if str(file) not in near]


def start(home: Path, path: str, mutant: Mutant | None) -> int:
    """Run the tests of a module in a process, whose exit code is 0 if all pass."""
    near, far = split_tests(home, path)
    process = os.fork()
    if process:
        return process
    code = 1
    with contextlib.suppress(BaseException):
        os.setsid()
        os.chdir(home)
        sys.path[0:0] = [str(home)]
        if mutant is not None:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            sys.meta_path.insert(0, _Finder(home, mutant))
        code = next((1 for tests in (near, far) if tests and pytest.main([*PYTEST, *tests])), 0)
    os._exit(code)


def killed(home: Path, drawn: list[Mutant], processes: int, limit_s: float) -> Iterator[bool]:
    """Run the tests against each mutant; return in the same order whether it was killed."""
    waiting = list(enumerate(drawn))
    running: dict[int, tuple[int, float]] = {}
    noticed: dict[int, bool] = {}
    for number in range(len(drawn)):
        while number not in noticed:
            while waiting and len(running) < processes:
                index, mutant = waiting.pop(0)
                running[start(home, mutant.path, mutant)] = index, time.monotonic() + limit_s
            for process, (index, until) in list(running.items()):
                ended, status = os.waitpid(process, os.WNOHANG)
                if not ended and time.monotonic() < until:
                    continue
                if not ended:
                    os.killpg(process, signal.SIGKILL)
                    os.waitpid(process, 0)
                del running[process]
                noticed[index] = not ended or os.waitstatus_to_exitcode(status) != 0
            time.sleep(0.01)
        yield noticed[number]


def time_without(home: Path, paths: list[str]) -> float:
    """Return the seconds of the longest tests without a mutant; exit if they fail."""
    seconds = [0.0]
    for path in sorted({begin for begin in TESTS for path in paths if path.startswith(begin)}):
        began = time.monotonic()
        process = start(home, path, None)
        if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]):
            print(f"the tests of {path} fail without any mutant")
            sys.exit(2)
        seconds.append(time.monotonic() - began)
    return max(seconds)


def run(home: Path, options: argparse.Namespace) -> int:
    """Sample mutants, run the tests against them, and print the survivors."""
    every = [str(file.relative_to(home)) for file in sorted((home / "service").rglob("*.py"))]
    paths = [path for path in every if path.startswith(tuple(TESTS))]
    paths = [path for path in paths if path.startswith(tuple(options.modules) or "service")]
    limit_s = MARGIN_S + SLOWER_MAX * time_without(home, paths)
    excused = accepted(home)
    gone = {one for one in excused if one[0] in paths}
    total = caught = 0
    for path in paths:
        whole = mutants(home, path)
        gone -= {(path, mutant.text) for mutant in whole}
        counted = [mutant for mutant in whole if (path, mutant.text) not in excused]
        chance = random.Random(f"{options.seed} {path}")  # noqa: S311 - it is to be repeated
        drawn = chance.sample(counted, min(options.per_module or len(counted), len(counted)))
        drawn.sort(key=lambda mutant: mutant.line)
        found = list(killed(home, drawn, options.processes, limit_s))
        total, caught = total + len(found), caught + sum(found)
        print(f"{path}: {sum(found)} of {len(found)} killed")
        for mutant, is_killed in zip(drawn, found, strict=True):
            if not is_killed:
                print(f"    survived: {path}:{mutant.line} {mutant.text}")
        sys.stdout.flush()
    for path, text in sorted(gone):
        print(f"accepted, but not there any more: {path} {text}")
    share = 100 * caught / (total or 1)
    print(f"{caught} of {total} mutants killed: {share:.1f} %")
    return 2 if gone else int(share < options.at_least)


def main() -> None:
    """Copy the tree, and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="how the paths of the modules begin")
    parser.add_argument("--per-module", type=int, default=30, help="mutants of each; 0: all")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--at-least", type=float, default=90, help="per cent to be killed")
    options = parser.parse_args()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    hypothesis.settings.register_profile(
        "mutants", max_examples=30, derandomize=True, database=None, deadline=None
    )
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        for name in ("service", "tests", "tools"):
            shutil.copytree(HOME / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(HOME / "pyproject.toml", home)
        sys.exit(run(home, options))


if __name__ == "__main__":
    main()
