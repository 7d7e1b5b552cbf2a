"""The cluster: the bus between its nodes."""

from pathlib import Path

from pydantic import SecretStr

from service.settings.fields import section, setting
from service.settings.kinds import SECRET_LENGTH_MIN, Realm


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
