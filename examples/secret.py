"""The secret that tokens are signed with: from Vault (or OpenBao), or from the environment."""

from __future__ import annotations

import os

from aiohttp import ClientSession, ClientTimeout

ALGORITHM = "HS256"


async def read_secret() -> str:
    """Read `JWT_SECRET` from KV v2 at `VAULT_ADDR`, else from the environment."""
    address = os.environ.get("VAULT_ADDR")
    if not address:
        return os.environ["JWT_SECRET"]
    headers = {"X-Vault-Token": os.environ["VAULT_TOKEN"]}
    timeout = ClientTimeout(total=5)
    async with (
        ClientSession(headers=headers, timeout=timeout, raise_for_status=True) as session,
        session.get(f"{address}/v1/secret/data/jwt") as response,
    ):
        secret: str = (await response.json())["data"]["data"]["JWT_SECRET"]
    return secret
