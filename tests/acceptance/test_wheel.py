import asyncio
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent

SERVE = (
    "import service, sys; sys.stderr.write(service.__file__); "
    "sys.argv = ['ws-service', 'serve']; from service.cli import main; main()"
)


def build_wheel(directory: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    (wheel,) = directory.glob("*.whl")
    return wheel


async def test_an_installed_wheel_migrates_and_serves(tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    with zipfile.ZipFile(await asyncio.to_thread(build_wheel, tmp_path)) as wheel:
        wheel.extractall(installed)
    parts = {path.name for path in (installed / "service" / "web").iterdir()}
    assert parts == {"admin", "client", "common", "docs", "games", "play", "replay"}
    assert (installed / "service/web/docs/contract/openapi.json").is_file()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVE,
        cwd=tmp_path,
        env=os.environ
        | {
            "PYTHONPATH": str(installed),
            "WS_PORT": "0",
            "WS_DATA_DIR": str(tmp_path / "data"),
            "JWT_SECRET": "a secret of thirty-two bytes or more",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async for line in process.stdout:
        if json.loads(line)["message"] == "listening":
            break
    process.send_signal(signal.SIGTERM)
    _, errors = await process.communicate()
    assert process.returncode == 0
    assert errors.decode() == str(installed / "service" / "__init__.py")
