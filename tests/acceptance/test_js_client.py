"""The JavaScript client: its Node tests, which start services themselves."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import service
from service.edge.http.assets import short_script
from service.edge.http.pages import WEB

pytestmark = pytest.mark.node

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "service" / "web" / "client"
NODE_MIN = 22

TESTS = sorted(
    str(path.relative_to(ROOT))
    for directory in ("node", "compat")
    for path in (ROOT / "tests" / directory).rglob("*.test.js")
)
"""Those of the client, and those of kept older ones against this service."""


def find_node() -> str:
    """Return a Node that is new enough: the one that `npm ci` brings, or the machine's own."""
    for path in (ROOT / "node_modules" / ".bin" / "node", shutil.which("node")):
        if path is not None and Path(path).exists() and major_version(str(path)) >= NODE_MIN:
            return str(path)
    raise AssertionError(f"there is no Node {NODE_MIN} or newer: npm ci --ignore-scripts")


def major_version(node: str) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return int(version.stdout.lstrip("v").partition(".")[0])


def run(*command: str, cwd: Path = ROOT) -> str:
    """Run a command and return what it writes; show that when it fails."""
    environment = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.timeout(240)
@pytest.mark.parametrize("path", TESTS)
def test_the_client_tests_pass_in_node(path: str) -> None:
    node = find_node()
    output = run(node, "--test", "--test-timeout=200000", "--test-reporter=tap", path)
    passed = re.search(r"^# pass (\d+)$", output, re.MULTILINE)
    assert passed is not None, output
    assert int(passed[1]) > 0, output


def test_the_package_has_the_client_its_types_and_the_service_version() -> None:
    output = run("npm", "pack", "--dry-run", "--json", "--ignore-scripts", cwd=PACKAGE)
    (packed,) = json.loads(output)
    assert packed["version"] == service.__version__
    assert {file["path"] for file in packed["files"]} == {
        "README.md",
        "client.d.ts",
        "client.js",
        "games.d.ts",
        "messages.d.ts",
        "package.json",
        "replay.d.ts",
        "testing.d.ts",
        "testing.js",
    }


def test_the_package_installs_with_its_class_and_types(tmp_path: Path) -> None:
    output = run("npm", "pack", "--json", "--pack-destination", str(tmp_path), cwd=PACKAGE)
    (packed,) = json.loads(output)
    assert "LICENSE" in {file["path"] for file in packed["files"]}
    assert not (PACKAGE / "LICENSE").exists()
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    run("npm", "install", "--offline", packed["filename"], cwd=tmp_path)
    page = 'import { Client, type Status } from "ws-service-client";\n'
    page += 'const client = new Client({ url: "ws://localhost", token: async () => "t" });\n'
    page += "const status: Status = client.status;\nconsole.log(status.state, client.users.size);\n"
    (tmp_path / "page.ts").write_text(page)
    compiler = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
    options = ("--strict", "--target", "es2022", "--module", "nodenext")
    run(find_node(), str(compiler), *options, "page.ts", cwd=tmp_path)
    assert run(find_node(), "page.js", cwd=tmp_path) == "idle 0\n"


def test_a_script_as_it_is_served_means_the_same(tmp_path: Path) -> None:
    scripts = [path.relative_to(WEB) for path in WEB.rglob("*.js")]
    for script in scripts:
        short = tmp_path / script
        short.parent.mkdir(parents=True, exist_ok=True)
        short.write_text(short_script((WEB / script).read_text()))
    tool = ROOT / "tests" / "node" / "same_meaning.js"
    output = run(find_node(), str(tool), str(WEB), str(tmp_path), *map(str, scripts))
    assert int(output) == len(scripts)


def test_the_client_has_no_dependencies() -> None:
    text = (PACKAGE / "client.js").read_text()
    assert re.findall(r"^\s*import\b|\bimport\(|\brequire\(", text, re.MULTILINE) == []
