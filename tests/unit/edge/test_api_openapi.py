"""The OpenAPI document: valid, up to date, and complete."""

from __future__ import annotations

import json
import re
from pathlib import Path

from openapi_spec_validator import validate

from service.edge.api.openapi import document
from service.edge.api.problems import ApiError
from service.edge.api.routes import ROUTES
from tools.openapi import OPENAPI, document_text

CHECKOUT = Path(__file__).parents[3]


def test_the_committed_openapi_document_matches_the_code() -> None:
    assert OPENAPI.read_text() == document_text(), "run `make reference`"


def test_the_openapi_document_is_valid() -> None:
    validate(document())


def test_every_schema_reference_resolves_and_none_is_unused() -> None:
    text = json.dumps(document())
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named == set(document()["components"]["schemas"])


def test_every_operation_and_parameter_has_a_line_of_help() -> None:
    for path in document()["paths"].values():
        for operation in path.values():
            assert re.fullmatch(r"[A-Z][^\n]+\.", operation["summary"])
            for parameter in operation.get("parameters", []):
                assert parameter["description"].endswith(".")


def test_every_path_parameter_is_declared() -> None:
    for route in ROUTES:
        operation = document()["paths"][f"/api/v1{route.path}"][route.method.lower()]
        in_path = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", route.path))


def test_the_page_of_the_api_names_every_route_and_every_code() -> None:
    page = (CHECKOUT / "docs" / "api.md").read_text()
    codes = {refusal.code for refusal in ApiError.__subclasses__()}
    assert {code for code in codes if f"`{code}`" not in page} == set()
    asked = {f"`{route.method} {route.path}`" for route in ROUTES}
    assert {one for one in asked if one not in page} == set()
