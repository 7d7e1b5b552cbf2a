"""A real rsyslog ships the logs of a real service with the configuration in deploy/elk."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.service_process import PATIENCE_S, StartService
from tests.fakes.elasticsearch import StandInForElasticsearch

CHECKOUT = Path(__file__).parent.parent.parent
# Where Debian has it; not everybody has it in the path.
RSYSLOGD = "/usr/sbin/rsyslogd"


@contextmanager
def rsyslog(log_file: Path, port: int, state_dir: Path) -> Iterator[None]:
    """Ship `log_file` with deploy/elk/rsyslog.conf."""
    state_dir.mkdir()
    configuration = CHECKOUT / "deploy" / "elk" / "rsyslog.conf"
    with subprocess.Popen(
        [RSYSLOGD, "-n", "-f", str(configuration), "-i", str(state_dir / "rsyslogd.pid")],
        env=os.environ
        | {
            "WS_LOG_FILE": str(log_file),
            "ES_HOST": "127.0.0.1",
            "ES_PORT": str(port),
            "STATE_DIR": str(state_dir),
        },
    ) as process:
        try:
            yield
        finally:
            process.terminate()


@pytest.mark.rsyslog
async def test_every_log_line_is_indexed_by_bulk_unchanged(
    start_service: StartService, tmp_path: Path
) -> None:
    service = start_service()
    ana = await service.connect(7, 'Ana "Ä" %\\')
    stranger = await service.connect(greeted=False)
    await stranger.closed()
    await ana.close()
    await service.terminate()
    log_file = tmp_path / "ws-service.eventstore"
    log_file.write_text("".join(f"{line}\n" for line in service.lines))

    elasticsearch = StandInForElasticsearch()
    async with elasticsearch.running(), asyncio.timeout(PATIENCE_S):
        with rsyslog(log_file, elasticsearch.port, tmp_path / "rsyslog"):
            await elasticsearch.hold(len(service.lines))

    assert elasticsearch.documents == [json.loads(line) for line in service.lines]
    codes = [one["error_code"] for one in elasticsearch.documents if "error_code" in one]
    assert codes == ["MISSING_WEBSOCKET_TOKEN"]
    creates = [action["create"] for action in elasticsearch.actions]
    assert {one["_index"] for one in creates} == {"logs-ws_service-default"}
    assert len({one["_id"] for one in creates}) == len(service.lines)
