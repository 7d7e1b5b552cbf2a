"""`ws-service games new`: write the package of a new game, which can be installed and tested."""

from __future__ import annotations

import importlib.util
import keyword
import sys
from pathlib import Path

from service.errors import ServiceError
from service.games.catalogue import GAMES
from service.games.checking import NAME

TEMPLATE = Path(__file__).parent / "game_template"

FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "{name}/__init__.py": "init.py",
    "{name}/rules.py": "rules.py",
    "{name}/page/view.js": "view.js",
    "tests/test_rules.py": "test_rules.py",
    "tests/recordings/{name}-1.ndjson": "recording.ndjson",
}
"""The files of a package, and which file of the template each is made of."""

SAMPLE = ("twenty_one", "TwentyOne", "Twenty-one")
"""What the template calls its game: its name, its class, and its title."""


class BadGameName(ServiceError):
    """A game can't have this name."""


class DirectoryTaken(ServiceError):
    """The package can't be written where it is to be, as there is something already."""


def new_game(name: str) -> None:
    """Write the package into ./NAME; raise `BadGameName` or `DirectoryTaken`, and write nothing."""
    target = Path(name)
    _check(name)
    if target.exists() or target.is_symlink():
        raise DirectoryTaken(f"{target.absolute()} exists already: choose another name, or move it")
    try:
        for path, content in _files(name).items():
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise DirectoryTaken(f"{target.absolute()} can't be written: {error}") from error
    print(
        f"{target}/ has the rules of a small game, a page, and tests. Next:\n\n"
        f"    pip install -e {target}\n    pytest {target}\n    ws-service serve --dev\n\n"
        f"Then change {target}/{name}/rules.py. docs/write-a-game.md explains it."
    )


def _check(name: str) -> None:
    if not NAME.fullmatch(name) or name.endswith("_") or keyword.iskeyword(name):
        raise BadGameName(
            f"{name!r} can't be the name of a game: take a lower-case letter, followed by "
            "lower-case letters, digits and underscores, as in my_game"
        )
    if name in GAMES or name == "tests":
        raise BadGameName(f"{name!r} is taken by ws-service: choose another name")
    if name in sys.stdlib_module_names or _is_installed(name):
        raise BadGameName(
            f"there is a Python package named {name!r} already: choose another name, as in "
            f"{name}_game"
        )


def _is_installed(name: str) -> bool:
    """Return whether a package of this name can be imported; a mere folder is none."""
    found = importlib.util.find_spec(name)
    return found is not None and found.origin is not None


def _files(name: str) -> dict[str, str]:
    words = name.replace("_", " ").strip()
    own = (name, "".join(word.capitalize() for word in words.split()), words.capitalize())
    files = {}
    for path, source in FILES.items():
        text = (TEMPLATE / f"{source}.txt").read_text(encoding="utf-8")
        for sample, one in zip(SAMPLE, own, strict=True):
            text = text.replace(sample, one)
        files[path.format(name=name)] = text
    return files
