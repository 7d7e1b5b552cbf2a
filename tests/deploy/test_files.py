"""The files to deploy with are valid, and name settings, nodes and files that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings, describe

CHECKOUT = Path(__file__).parents[2]
DEPLOY = CHECKOUT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
STATEFULSET = DEPLOY / "kubernetes" / "statefulset.yaml"
UNIT = DEPLOY / "systemd" / "ws-service.service"
TOOLS = Path(sys.executable).parent
NAMES = ["node1", "node2", "node3"]

SETTING = re.compile(r"\b(?:WS|JWT|VAULT|USER_SERVICE)_[A-Z_]+\b")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def validated(*paths: Path) -> subprocess.CompletedProcess[str]:
    return run(TOOLS / "kubernetes-validate", "--strict", *paths)


def compose() -> Any:
    return read(DEPLOY / "compose.yaml")


def test_the_dockerfile_has_no_lint() -> None:
    done = run(TOOLS / "hadolint", CHECKOUT / "Dockerfile")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_compose_file_follows_its_specification(tmp_path: Path) -> None:
    tool = TOOLS / "check-jsonschema"
    command = (tool, "--builtin-schema", "vendor.compose-spec")
    # With anchors merged, which the schema can't see through.
    file = tmp_path / "compose.yaml"
    file.write_text(yaml.safe_dump(compose()))
    done = run(*command, file)
    assert done.returncode == 0, done.stdout
    file.write_text(file.read_text().replace("read_only:", "readonly:"))
    assert run(*command, file).returncode == 1


def test_the_manifests_are_valid_in_kubernetes() -> None:
    done = validated(*KUBERNETES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_misspelt_field_of_a_manifest_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "statefulset.yaml"
    wrong.write_text(STATEFULSET.read_text().replace("readinessProbe:", "readinesProbe:"))
    assert validated(wrong).returncode == 1


def test_nodes_have_the_same_names_everywhere() -> None:
    services = compose()["services"]
    assert [name for name in services if name.startswith("node")] == NAMES
    assert [services[name]["environment"]["WS_NODE"] for name in NAMES] == NAMES
    haproxy = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
    assert re.findall(r"server (\w+) \"\$\{\w+-(\w+):4000\}", haproxy) == [
        (name, name) for name in NAMES * 2
    ]
    nginx = (DEPLOY / "nginx" / "nginx.conf").read_text()
    assert re.findall(r"'~\^(\w+)\\\.'\s+ws_(\w+);", nginx) == [(name, name) for name in NAMES]
    assert re.findall(r"server (\w+):4000", nginx) == NAMES * 2
    variable = read(STATEFULSET)["spec"]["template"]["spec"]["containers"][0]["env"][0]
    assert variable["name"] == "WS_NODE"
    assert variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_every_setting_in_the_files_exists() -> None:
    known = {row.env for row in describe(Settings())}
    files = [
        CHECKOUT / "Dockerfile",
        *(path for path in DEPLOY.rglob("*") if path.suffix in SUFFIXES),
    ]
    named = {name for path in files for name in SETTING.findall(path.read_text())}
    assert len(named) > 10
    assert named - known - NOT_SETTINGS == set()


SUFFIXES = {".yaml", ".cfg", ".conf", ".service", ".env", ".example"}

NOT_SETTINGS = {"WS_PUBLISH", "WS_LOG_FILE"}
"""A variable of the compose file, one of the log shipper, and settings of a cluster."""


def test_every_secret_of_the_compose_file_is_in_the_example_of_its_environment() -> None:
    needed = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text()))
    example = (DEPLOY / "compose.env.example").read_text()
    assert needed == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))


def copied() -> list[str]:
    """Return what the Dockerfile copies from the checkout."""
    lines = re.findall(
        r"^COPY (?!--from)(.+)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE
    )
    return [source for line in lines for source in line.split()[:-1]]


def test_the_image_gets_what_its_dockerfile_copies_and_nothing_else() -> None:
    ignored = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert next(line for line in ignored if line and not line.startswith("#")) == "*"
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    assert {source.split("/")[0] for source in copied()} == let_through
    assert all((CHECKOUT / source).exists() for source in copied())


@pytest.mark.parametrize("path", [CHECKOUT / "Dockerfile", STATEFULSET], ids=["image", "pod"])
def test_the_service_runs_as_the_same_unprivileged_user(path: Path) -> None:
    assert "10001" in path.read_text()


def test_a_pod_has_time_for_its_stop() -> None:
    pod = read(STATEFULSET)["spec"]["template"]["spec"]
    pre_stop = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = int(read(DEPLOY / "kubernetes" / "configmap.yaml")["data"]["WS_DRAIN_WAIT_S"])
    assert pod["terminationGracePeriodSeconds"] >= pre_stop + drain + 10


@pytest.mark.systemd
def test_the_units_are_valid_and_that_of_the_service_is_confined(tmp_path: Path) -> None:
    for file in UNIT.parent.glob("ws-service*.*er*"):
        text = file.read_text().replace("/opt/ws-service/bin", str(TOOLS))
        (tmp_path / file.name).write_text(text)
    unit = tmp_path / UNIT.name
    backup = tmp_path / "ws-service-backup.service"
    done = run("systemd-analyze", "verify", "--man=no", unit, backup, backup.with_suffix(".timer"))
    complaints = [line for line in done.stderr.splitlines() if "ws-service" in line]
    assert (done.returncode, complaints) == (0, [])
    unit.write_text(unit.read_text().replace("NoNewPrivileges", "NoNewPrivilege"))
    assert "NoNewPrivilege" in run("systemd-analyze", "verify", "--man=no", unit).stderr
    # 0 is fully confined, 10 is not at all.
    assert (
        run("systemd-analyze", "security", "--offline=yes", "--threshold=20", unit).returncode == 0
    )
