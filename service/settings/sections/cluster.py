"""The cluster: the name of this node, and the bus between the nodes."""

import re
import socket
from pathlib import Path

from pydantic import SecretStr

from service.settings.fields import section, setting
from service.settings.kinds import SECRET_LENGTH_MIN, NodeName, Realm


@section
class ClusterSettings:
    """What the nodes of a cluster have in common."""

    secret: SecretStr | None = setting(
        "WS_CLUSTER_SECRET",
        None,
        "Secret of all nodes of a cluster: seals players' tokens, keys the digests of commands.",
        allowed=f"a text of at least {SECRET_LENGTH_MIN} characters",
        min_length=SECRET_LENGTH_MIN,
        default_text="JWT_SECRET; a single node makes secrets of its own in WS_DATA_DIR",
    )


@section
class BusSettings:
    """The bus between the nodes of a cluster."""

    url: SecretStr | None = setting(
        "WS_BUS_URL",
        None,
        "NATS servers of a cluster; unset: this is the only node.",
        allowed="URLs like nats://USER:PASSWORD@HOST:4222 or tls://TOKEN@HOST:4222, separated by "
        "commas; it needs WS_DATABASE_URL=postgresql+psycopg://...",
    )
    tls_ca: Path | None = setting(
        "WS_BUS_TLS_CA",
        None,
        "File with the certificates (PEM) that sign those of the servers; unset: the system's.",
        allowed="a path",
    )
    realm: Realm = setting(
        "WS_REALM",
        "default",
        "Name that all nodes of a cluster have in common, and no other cluster on the same bus.",
        allowed="letters, digits, - and _, at most 64",
    )


@section
class NodeSettings:
    """This node, as one of a cluster or the only one."""

    name: NodeName | None = setting(
        "WS_NODE",
        None,
        "Name of this node: the same at each start, and of no other node of the cluster.",
        allowed="letters, digits, - and _, at most 63",
        default_text="the host's name in a cluster, else n1",
    )
    drain_wait_s: float = setting(
        "WS_DRAIN_WAIT_S",
        5,
        "How long a node that stops is not ready, but serves, before it sends clients to others.",
        unit="s",
        ge=0,
        le=300,
    )


def host_node_name() -> str:
    """Return the host's name without its domain, as a name of a node."""
    host = socket.gethostname().partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]", "-", host)[:63] or "n1"
