"""The mutation testing tool: what it changes, and what it skips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.mutants import ACCEPTED, TESTS, accepted, module_name, mutants, split_tests

CHECKOUT = Path(__file__).parent.parent.parent


def texts(home: Path, source: str) -> list[str]:
    """Return what the mutants of a module change."""
    (home / "one.py").write_text(source)
    return [mutant.text for mutant in mutants(home, "one.py")]


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("a < b", ["a < b -> pass", "a < b -> a <= b"]),
        ("x = a == b", ["x = a == b -> x = a != b"]),
        ("x = a is b and c in d", 3),
        ("x = not a", ["x = not a -> x = a"]),
        ("x = 5", ["x = 5 -> x = 6", "x = 5 -> x = 4"]),
        ("x = True", ["x = True -> x = False"]),
        ("x = a + b", ["x = a + b -> x = a - b"]),
        ("x = [a for a in b if a]", ["x = [a for a in b if a] -> x = [a for a in b if not a]"]),
        ("x = 'text'", []),
        ("x: int = y", []),
    ],
)
def test_each_mutant_changes_one_operation(
    tmp_path: Path, source: str, changed: list[str] | int
) -> None:
    found = texts(tmp_path, source)
    if isinstance(changed, int):
        assert len(found) == changed
    else:
        assert found == [f": {one}" for one in changed]


def test_statements_and_return_values_are_removed(tmp_path: Path) -> None:
    source = "class A:\n    def b(self):\n        c = d\n        raise e\n        return f\n"
    assert texts(tmp_path, source) == [
        "A.b: c = d -> pass",
        "A.b: raise e -> pass",
        "A.b: return f -> return None",
    ]


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "def a(b: Literal[1]) -> Literal[2]:\n    pass",
        "class A(B, frozen=True):\n    pass",
        "if TYPE_CHECKING:\n    import a",
        "assert_never(a)",
        "x = zip(a, b, strict=True)",
        "X: TypeAlias = Literal[1]",
        "def a():\n    return None",
    ],
)
def test_code_without_runtime_effect_is_not_mutated(tmp_path: Path, source: str) -> None:
    assert texts(tmp_path, source) == []


def test_each_mutant_has_one_change_only(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("x = 5\ny = 5\n")
    values = []
    for mutant in mutants(tmp_path, "one.py"):
        names: dict[str, Any] = {}
        exec(mutant.code, names)  # noqa: S102 - a code object
        values.append((names["x"], names["y"], mutant.line))
    assert values == [(6, 5, 1), (4, 5, 1), (5, 6, 2), (5, 4, 2)]


def test_accepted_mutants_are_read_without_their_reasons(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / ACCEPTED).write_text("# Why.\n\na/b.py C.d: x < 1 -> x <= 1  # The same.\n")
    assert accepted(tmp_path) == {("a/b.py", "C.d: x < 1 -> x <= 1")}


def test_every_accepted_mutant_has_a_reason() -> None:
    lines = (CHECKOUT / ACCEPTED).read_text().splitlines()
    assert all("  # " in line for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("start", TESTS)
def test_the_mutated_modules_and_their_tests_exist(start: str) -> None:
    paths = [str(file.relative_to(CHECKOUT)) for file in (CHECKOUT / "service").rglob("*.py")]
    path = next(path for path in paths if path.startswith(start))
    near, far = split_tests(CHECKOUT, path)
    assert near or far


def test_tests_that_name_a_module_run_first() -> None:
    near, far = split_tests(CHECKOUT, "service/domain/projections/keys.py")
    assert any(file.endswith("decisions/test_keys.py") for file in near)
    assert any(file.endswith("decisions/test_lobby.py") for file in far)
    assert not set(near) & set(far)


def test_a_package_is_imported_by_its_name() -> None:
    assert module_name("service/a/__init__.py") == "service.a"
    assert module_name("service/a/b.py") == "service.a.b"
