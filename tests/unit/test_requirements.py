"""The locks: each holds what its purpose needs, pinned, hashed, and from no named index."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REQUIREMENTS = Path(__file__).parents[2] / "requirements"


def locked(name: str) -> dict[str, Requirement]:
    """Read what a lock has for this Python, by its name."""
    pinned = re.findall(r"^(\S+==[^\\\n]+)", (REQUIREMENTS / name).read_text(), re.MULTILINE)
    found = [Requirement(one) for one in pinned]
    return {one.name: one for one in found if one.marker is None or one.marker.evaluate()}


def needed_by(*roots: Requirement) -> set[str]:
    """Follow what the installed distributions require, from these on."""
    found: set[tuple[str, str]] = set()
    waiting = [(root, extra) for root in roots for extra in ("", *root.extras)]
    for requirement, extra in waiting:
        name = canonicalize_name(requirement.name)
        if (name, extra) in found:
            continue
        found.add((name, extra))
        for text in metadata.requires(name) or ():
            one = Requirement(text)
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                waiting += [(one, wanted) for wanted in ("", *one.extras)]
    return {name for name, _ in found}


def test_the_lock_of_the_service_holds_what_it_needs_at_run_time_and_nothing_else() -> None:
    assert set(locked("run.txt")) == needed_by(Requirement("ws-service")) - {"ws-service"}


def test_the_lock_of_the_build_holds_what_installs_the_project_and_nothing_else() -> None:
    wanted = needed_by(Requirement("hatchling"), Requirement("editables"))
    assert set(locked("build.txt")) == wanted


@pytest.mark.parametrize("other", ["run.txt", "build.txt"])
def test_a_package_has_one_version_in_all_locks(other: str) -> None:
    development = locked("dev.txt")
    for name, requirement in locked(other).items():
        if name in development or other == "run.txt":
            assert development[name].specifier == requirement.specifier


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.glob("*.txt")), ids=lambda path: path.name)
def test_a_lock_has_hashes_for_all_it_names_and_names_no_index(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"^-|://", text, re.MULTILINE)
    entries = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
