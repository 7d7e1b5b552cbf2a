"""Debian's HAProxy and nginx with the configurations of deploy/, before nodes at other addresses.

with haproxy({"node1": "127.0.0.1:4001", "node2": ..., "node3": ...}) as url: ...
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from tests.ports import free_port
from tests.self_signed import write_certificate

DEPLOY = Path(__file__).parent.parent / "deploy"
HAPROXY, HAPROXY_FILE = "/usr/sbin/haproxy", DEPLOY / "haproxy" / "haproxy.cfg"
NGINX, NGINX_FILE = "/usr/sbin/nginx", DEPLOY / "nginx" / "nginx.conf"

PATIENCE_S = 20.0
NOWHERE = "127.0.0.1:1"


def haproxy_environment(nodes: Mapping[str, str], bind: str) -> dict[str, str]:
    """Return the variables that the configuration reads; a missing node is one that is down."""
    names = ("node1", "node2", "node3")
    return os.environ | {"BIND": bind} | {name.upper(): nodes.get(name, NOWHERE) for name in names}


@contextmanager
def haproxy(nodes: Mapping[str, str], port: int | None = None) -> Iterator[str]:
    """Run HAProxy before `nodes`, each given by name and address; yield its URL."""
    port = port or free_port()
    environment = haproxy_environment(nodes, f"127.0.0.1:{port}")
    command = [HAPROXY, "-db", "-f", str(HAPROXY_FILE)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, process_group=0
    ) as process:
        try:
            _wait_until_it_listens(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def nginx_configuration(nodes: Mapping[str, str], directory: Path, port: int) -> Path:
    """Write the configuration with these addresses, and with a certificate and files of its own."""
    text = NGINX_FILE.read_text()
    for name in ("node1", "node2", "node3"):
        text = text.replace(f"server {name}:4000", f"server {nodes.get(name, NOWHERE)}")
    write_certificate(directory / "tls.crt", directory / "tls.key")
    text = text.replace("/etc/nginx/tls", str(directory))
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    text = text.replace("listen 80", f"listen 127.0.0.1:{free_port()}")
    file = directory / "nginx.conf"
    # As another user its workers could not read the directory of a test.
    file.write_text(f"user root;\npid {directory}/nginx.pid;\n{text}")
    return file


@contextmanager
def nginx(nodes: Mapping[str, str], directory: Path) -> Iterator[str]:
    """Run nginx before `nodes`, each given by name and address; yield its URL, with TLS."""
    port = free_port()
    file = nginx_configuration(nodes, directory, port)
    command = [NGINX, "-p", str(directory), "-c", str(file), "-g", "daemon off;"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_it_listens(process, port)
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        assert process.poll() is None, f"{process.args!r} has ended"
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise AssertionError(f"{process.args!r} does not listen")
