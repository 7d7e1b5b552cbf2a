import pytest
import typer

from service.cli.api import base_url
from service.settings import Settings


@pytest.mark.parametrize(
    ("given", "http", "socket"),
    [
        (None, "http://127.0.0.1:4000", "ws://127.0.0.1:4000"),
        ("http://host:1/", "http://host:1", "ws://host:1"),
        ("ws://host:1", "http://host:1", "ws://host:1"),
        ("https://host/game/", "https://host/game", "wss://host/game"),
        ("ws://host:1/ws", "http://host:1", "ws://host:1/ws"),
        ("wss://[::1]:1", "https://[::1]:1", "wss://[::1]:1"),
    ],
)
def test_an_address_of_the_service_is_taken_for_http_and_for_sockets(
    given: str | None, http: str, socket: str
) -> None:
    assert base_url(given, Settings()) == http
    assert base_url(given, Settings(), "ws") == socket


@pytest.mark.parametrize(
    "url", ["127.0.0.1:4000", "ftp://host", "http://", "http:///x", "http://a b"]
)
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(typer.BadParameter, match="give it like http://127"):
        base_url(url, Settings())
