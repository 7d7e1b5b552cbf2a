"""`ws-service outbox` and `log verify` after a service run."""

import json
import subprocess
import sys

from tests.acceptance.crash import begin_match
from tests.acceptance.service_process import Running, StartService, clean_environment

NOWHERE = "http://127.0.0.1:9/hook"
"""The discard port, which has no listener."""


def cli(service: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        env=clean_environment(service.settings) | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


async def with_a_match_that_waits(start_service: StartService) -> tuple[Running, str]:
    service = start_service(WS_WEBHOOK_URLS=NOWHERE, WS_WEBHOOK_SECRET="a secret of webhooks")
    seated = await begin_match(service)
    await seated.left.send("game:leave", roomId=seated.room)
    await seated.right.expect("game:end")
    service.kill()
    return service, seated.match


async def test_pending_deliveries_are_listed_as_table_and_json(
    start_service: StartService,
) -> None:
    service, match = await with_a_match_that_waits(start_service)
    assert match in cli(service, "outbox").stdout
    (entry,) = map(json.loads, cli(service, "outbox", "--json").stdout.splitlines())
    assert (entry["match"], entry["state"]) == (match, "waiting")
    assert entry["consumer"].startswith("webhook-")
    assert match in cli(service, "outbox", "retry", match).stdout
    unknown = cli(service, "outbox", "retry", "zzz")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "'zzz'" in unknown.stderr


async def test_log_verify_detects_a_wrong_outbox(
    start_service: StartService,
) -> None:
    service, _ = await with_a_match_that_waits(start_service)
    assert cli(service, "log", "verify").returncode == 0
    service.change("DELETE FROM outbox")
    verified = cli(service, "log", "verify")
    assert verified.returncode == 1
    assert "the outbox" in verified.stderr
