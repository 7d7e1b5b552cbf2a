"""The check of the other nodes: which are live, and what of their settings differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.cli.doctor.findings import Finding
from service.settings.fingerprint import differing, fingerprint
from service.settings.secrets import command_secret, seal_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import psycopg

    from service.settings import Settings

CHECK = "nodes"

_HAS_NODES = "SELECT to_regclass('nodes') IS NOT NULL"
_NODES = """
    SELECT node, NOT lost AND expires_at > clock_timestamp(), fingerprint
    FROM nodes WHERE NOT lost ORDER BY node
"""


def check_nodes(settings: Settings, connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Compare the settings of all nodes that are not lost with these ones."""
    if connection.execute(_HAS_NODES).fetchone() != (True,):
        # The schema is not that of this version, which another check tells.
        return
    rows = connection.execute(_NODES).fetchall()
    yield _summary(settings.node_name, {node: live for node, live, _ in rows})
    jwt_secret = settings.tokens.secret.get_secret_value() if settings.tokens.secret else ""
    own = fingerprint(
        settings, seal=seal_secret(settings, jwt_secret), commands=command_secret(settings)
    )
    for node, _, theirs in rows:
        yield from compared(node, own, theirs)


def _summary(own_name: str, live: Mapping[str, bool]) -> Finding:
    late = [node for node, is_live in live.items() if not is_live]
    names = ", ".join(live) or "none yet"
    if late:
        advice = "`ws-service nodes` shows them; the others take over what is theirs"
        return Finding(CHECK, "warn", f"the lease of {', '.join(late)} is over", advice)
    here = f"this is {own_name}" if own_name in live else f"{own_name} is not among them"
    return Finding(CHECK, "ok", f"live nodes: {names}; {here}")


def compared(node: str, own: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[Finding]:
    """Tell in what the settings of a node differ from these ones."""
    required, advised = differing(own, theirs)
    if required:
        yield Finding(
            CHECK,
            "fail",
            f"{node} differs in {', '.join(required)}",
            "make them equal: a node that differs in these is refused",
        )
    if advised:
        yield Finding(
            CHECK,
            "warn",
            f"{node} differs in {', '.join(advised)}",
            "make them equal, unless you are changing them node by node just now",
        )
