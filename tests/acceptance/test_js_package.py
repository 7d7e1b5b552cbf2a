"""The npm package of the client: what is packed is complete."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMPORT = re.compile(r"""(?:from|import)\s*\(?\s*"(\.[^"]+)\"""")
STYLE = re.compile(r"""\"(\.\.?/[^"]+\.css)\"""")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked package, as npm packs it from a copy of the sources."""
    npm = shutil.which("npm")
    assert npm is not None, "npm is missing"
    directory = tmp_path_factory.mktemp("package")
    sources = directory / "checkout"
    shutil.copytree(ROOT / "service" / "web", sources / "service" / "web")
    shutil.copy(ROOT / "LICENSE", sources)
    client = sources / "service" / "web" / "client"
    done = subprocess.run(
        [npm, "pack", "--json", "--pack-destination", str(directory)],
        cwd=client,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    name = json.loads(done.stdout[done.stdout.index("[") :])[0]["filename"]
    with tarfile.open(directory / name) as archive:
        archive.extractall(directory, filter="data")
    assert not (client / "web").exists(), "packing leaves nothing behind"
    return directory / "package"


def test_every_exported_file_is_packed(package: Path) -> None:
    exports = json.loads((package / "package.json").read_text())["exports"]
    for entry in exports.values():
        for path in entry.values():
            assert (package / path).is_file(), path
    assert (package / "LICENSE").is_file()


def test_every_module_finds_what_it_imports(package: Path) -> None:
    modules = list(package.rglob("*.js"))
    assert package / "web" / "replay" / "ws_replay.js" in modules
    for module in modules:
        text = module.read_text()
        for wanted in [*IMPORT.findall(text), *STYLE.findall(text)]:
            assert (module.parent / wanted).is_file(), f"{module.name} imports {wanted}"
