"""The TypeScript types, checked with the TypeScript compiler."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    if not (ROOT / "node_modules").exists() or shutil.which("node") is None:
        pytest.skip("there is no npm, or no `npm ci` was done")
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def test_the_typescript_types_match_the_schemas() -> None:
    done = run("node", "tools/message_types.js", "--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_scripts_of_the_page_agree_with_the_types_in_their_comments() -> None:
    done = run(
        "node", "node_modules/typescript/bin/tsc", "--project", "tests/node/tsconfig.pages.json"
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_a_program_using_the_types_compiles() -> None:
    done = run("node", "node_modules/typescript/bin/tsc", "--project", "tests/node")
    assert (done.returncode, done.stdout) == (0, "")
