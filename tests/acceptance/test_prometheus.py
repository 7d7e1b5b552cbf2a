"""A real Prometheus scrapes a real service with the configuration in deploy/prometheus."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.crash import begin_match
from tests.acceptance.service_process import PATIENCE_S, Running, StartService
from tests.unit.test_deploy import DEPLOY, queries

pytestmark = pytest.mark.prometheus

# Where Debian has them.
PROMTOOL, PROMETHEUS = "/usr/bin/promtool", "/usr/bin/prometheus"

READY = "Server is ready to receive web requests."

LOOK_AGAIN_S = 0.1


def promtool(*arguments: str, stdin: str | None = None) -> None:
    done = subprocess.run(
        [PROMTOOL, *arguments],
        cwd=DEPLOY / "prometheus",
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


@contextmanager
def prometheus(service: Running, directory: Path) -> Iterator[str]:
    """Run it with the configuration of deploy/prometheus, scraping more often; yield its URL."""
    for source in (DEPLOY / "prometheus").glob("*.yml"):
        text = source.read_text().replace("interval: 15s", "interval: 1s")
        (directory / source.name).write_text(
            text.replace("127.0.0.1:4000", service.url.removeprefix("http://"))
        )
    with subprocess.Popen(
        [
            PROMETHEUS,
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            "--web.listen-address=127.0.0.1:0",
            "--log.format=json",
        ],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        entries: dict[str, Any] = {}
        try:
            for line in process.stderr:
                entry = json.loads(line)
                entries[entry.get("msg", "")] = entry
                if READY in entries:
                    break
            assert READY in entries, entries
            yield f"http://{entries['Listening on']['address']}"
        finally:
            process.terminate()
            process.stderr.read()


async def ask(client: aiohttp.ClientSession, url: str, query: str) -> list[dict[str, Any]]:
    async with client.get(f"{url}/api/v1/query", params={"query": query}) as answer:
        body = await answer.json()
    assert body["status"] == "success", f"{query}: {body}"
    result: list[dict[str, Any]] = body["data"]["result"]
    return result


async def test_prometheus_answers_every_dashboard_query(
    start_service: StartService, tmp_path: Path
) -> None:
    service = start_service()
    await begin_match(service)
    with prometheus(service, tmp_path) as url:
        async with aiohttp.ClientSession() as client, asyncio.timeout(PATIENCE_S):
            while not await ask(client, url, "ws_sockets_open > 0"):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(LOOK_AGAIN_S)
            for query in queries():
                plain = query.replace('"$instance"', '".*"').replace("$__rate_interval", "5m")
                await ask(client, url, plain)
            async with client.get(f"{url}/api/v1/rules") as answer:
                (group,) = (await answer.json())["data"]["groups"]
            assert {rule["health"] for rule in group["rules"]} <= {"ok", "unknown"}
            assert [one["value"][1] for one in await ask(client, url, "ws_matches_live")] == ["1"]


async def test_metric_names_and_help_follow_the_conventions(
    start_service: StartService,
) -> None:
    service = start_service()
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{service.url}/metrics") as answer,
    ):
        text = await answer.text()
    assert len(re.findall(r"^# TYPE ws_", text, re.MULTILINE)) > 20
    promtool("check", "metrics", stdin=text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
)
def test_the_alerts_are_valid_and_fire_when_they_should(arguments: tuple[str, ...]) -> None:
    promtool(*arguments)
