"""The files in deploy/ parse, and use existing fields, codes and metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.telemetry import Metrics
from tests.ecs.validation import FIELDS, OWN_FIELDS

CHECKOUT = Path(__file__).parent.parent.parent
DEPLOY = CHECKOUT / "deploy"
OPERATIONS = (CHECKOUT / "docs" / "operations.md").read_text()
SERIES = {"counter": ("_total",), "info": ("_info",), "histogram": ("_bucket", "_count", "_sum")}

# Of the contract, and two of our own that stand for what a client can't be told.
ERROR_CODES = {
    "MISSING_WEBSOCKET_TOKEN",
    "INVALID_WEBSOCKET_TOKEN",
    "INVALID_TOKEN_PAYLOAD",
    "ORIGIN_NOT_ALLOWED",
    "MATCH_SAVE_FAILED",
    "VAULT_READ_ERROR",
    "TOKEN_REVOKED",
    "UNKNOWN_TOKEN_KEY",
    "JWKS_READ_ERROR",
    "MATCH_SAVE_DELAYED",
    "USER_SERVICE_UNAVAILABLE",
    "START_REFUSED",
    "START_FAILED",
    "CANNOT_LISTEN",
    "LOG_IN_USE",
    "LOG_MISSING",
    "LOG_LOST_TAIL",
    "LOG_HEAD_DAMAGED",
    "DATA_UNUSABLE",
    "NOT_OUR_DATABASE",
    "WRONG_SCHEMA",
    "LOG_UNWRITABLE",
    "ARCHIVED",
    "ARCHIVE_REFUSED",
    "GAME_FAULTY",
    "BUS_NOT_CONNECTED",
    "LEASE_SUSPENDED",
    "LEASE_LOST",
    "NODES_DIFFER",
    "CUT_OFF_FROM_BUS",
    "NODE_NOT_ON_BUS",
    "NODE_NAME_TAKEN",
    "DATABASE_UNREACHABLE",
    "BUS_UNREACHABLE",
    "SQLITE_ONLY",
    "TAIL_GIVEN_UP",
    "SNAPSHOT_DAMAGED",
    "SIDE_FILE_DAMAGED",
    "DUPLICATE_VERSION",
    "4008",
    "4012",
}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana" / "ws-service.json").read_text())
    return found


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def queries() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (
        target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())
    )


def series() -> set[str]:
    return {
        family.name + suffix
        for family in Metrics().registry.collect()
        for suffix in SERIES.get(family.type, ("",))
    }


def mapped(properties: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, field in properties.items():
        if "properties" in field:
            yield from mapped(field["properties"], f"{above}{name}.")
        else:
            yield above + name, field["type"]


def test_every_query_uses_existing_metrics() -> None:
    asked = {name for query in queries() for name in re.findall(r"\b(?:ws|process)_\w+", query)}
    assert len(asked) > 20
    assert asked <= series()


def test_every_own_metric_is_in_the_dashboard() -> None:
    text = " ".join(queries())
    for family in Metrics().registry.collect():
        assert family.name in text or family.name.startswith("process_"), family.name


def test_dashboard_panels_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)


def test_every_alert_has_a_runbook_entry() -> None:
    for rule in rules():
        assert f"`{rule['alert']}`" in OPERATIONS


def test_the_index_template_has_the_types_of_ecs_and_the_contract() -> None:
    template = json.loads((DEPLOY / "elk" / "index-template.json").read_text())["template"]
    fields = dict(mapped(template["mappings"]["properties"]))
    assert fields == {name: (FIELDS | OWN_FIELDS)[name] for name in fields}
    assert OWN_FIELDS.keys() < fields.keys()
    policy = json.loads((DEPLOY / "elk" / "ilm-policy.json").read_text())["policy"]
    assert template["settings"]["index.lifecycle.name"] == "ws-service"
    assert {"hot", "delete"} < policy["phases"].keys()


def test_every_logged_error_code_is_known_and_told() -> None:
    logged = set()
    for path in (CHECKOUT / "service").rglob("*.py"):
        text = path.read_text()
        # Of a line, of an error that refuses a start, and of the two branches of a condition.
        logged |= set(re.findall(r'error_code="([A-Z_]+)"', text))
        logged |= set(re.findall(r'error_code(?:: ClassVar\[str\])? = "([A-Z_]+)"', text))
        logged |= set(re.findall(r'error_code="[A-Z_]+"\s+if [^,]+\s+else "([A-Z_]+)"', text))
        logged |= set(re.findall(r'AuthenticationError\(\s*"[^"]+",\s*"([A-Z_]+)"', text))
    assert logged
    assert logged <= ERROR_CODES
    assert {code for code in ERROR_CODES if f"`{code}`" not in OPERATIONS} == set()


def test_there_is_a_saved_search_for_every_error_code() -> None:
    lines = (DEPLOY / "elk" / "saved-searches.ndjson").read_text().splitlines()
    view, *searches = [json.loads(line) for line in lines]
    assert view["type"] == "index-pattern"
    asked = set()
    for search in searches:
        assert search["type"] == "search"
        (reference,) = search["references"]
        assert reference["id"] == view["id"]
        source = json.loads(search["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        assert source["indexRefName"] == reference["name"]
        query = source["query"]["query"]
        (field,) = set(re.findall(r"([\w.]+): ", query))
        assert field in FIELDS | OWN_FIELDS
        asked |= set(re.findall(r'error_code: "(\w+)"', query))
        columns = search["attributes"]["columns"]
        assert set(columns) <= (FIELDS | OWN_FIELDS).keys()
    assert asked == ERROR_CODES


@pytest.mark.parametrize("path", ["elk/filebeat.yml", "prometheus/prometheus.yml"])
def test_the_remaining_configuration_files_parse(path: str) -> None:
    assert isinstance(yaml.safe_load((DEPLOY / path).read_text()), dict)
