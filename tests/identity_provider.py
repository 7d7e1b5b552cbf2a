"""A test identity provider: keys of every type, tokens, and a JWKS server.

async def test_somebody_signs(provider: Provider) -> None:
    key = SigningKey("k1", "ES256")
    provider.publish(key)
    token = key.sign({"id": 7}, iss=provider.name)
    provider.behaviour = provider.broken            # or `silent`, or anything of your own
    await provider.stop()                           # down; `start` takes the same port
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


class SigningKey:
    """A private key, with the id and the algorithm that its tokens name."""

    def __init__(self, kid: str | None, algorithm: str) -> None:
        self.kid = kid
        self.algorithm = algorithm
        self.private = _make(algorithm)

    def sign(self, claims: dict[str, Any] | None = None, **more: Any) -> str:
        """Make a token that is valid for an hour."""
        headers = {} if self.kid is None else {"kid": self.kid}
        body = {"exp": int(time.time()) + 3600, "id": 7, **(claims or {}), **more}
        return jwt.encode(body, self.private, self.algorithm, headers)

    def pem(self) -> bytes:
        """Write the public key in PEM."""
        public: Any = self.private.public_key()
        pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem

    def jwk(self, **more: Any) -> dict[str, Any]:
        """Write the public key as it is published."""
        public: Any = self.private.public_key()
        made: dict[str, Any] = jwt.get_algorithm_by_name(self.algorithm).to_jwk(
            public, as_dict=True
        )
        # The library exports more members of RSA keys than issuers publish.
        made.pop("key_ops", None)
        named = {} if self.kid is None else {"kid": self.kid}
        return {**made, "use": "sig", "alg": self.algorithm, **named, **more}


class Provider:
    """A server of keys that may rotate them, fail, be slow, or be down."""

    def __init__(self, name: str = "auth.example.org") -> None:
        self.name = name
        self.requests = 0
        self.behaviour: Callable[[], Awaitable[web.StreamResponse]] = self.publishing
        self.released = asyncio.Event()
        """Set it, and a `silent` provider answers."""
        self.asked = asyncio.Event()
        """Set at each request."""
        self._keys: list[dict[str, Any]] = []
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where the keys are, also while it is down."""
        return f"http://127.0.0.1:{self._port}/keys"

    def publish(self, *keys: SigningKey | dict[str, Any]) -> None:
        """Publish these keys, and no others."""
        self._keys = [key.jwk() if isinstance(key, SigningKey) else key for key in keys]

    async def start(self) -> None:
        """Listen, again at the same port."""
        app = web.Application()
        app.router.add_get("/keys", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Be down."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def publishing(self) -> web.StreamResponse:
        """Give the keys."""
        return web.json_response({"keys": self._keys})

    async def broken(self) -> web.StreamResponse:
        """Fail."""
        return web.json_response({"error": "internal"}, status=500)

    async def silent(self) -> web.StreamResponse:
        """Give the keys when it is `released`."""
        await self.released.wait()
        return await self.publishing()

    async def moved(self) -> web.StreamResponse:
        """Send the client elsewhere; where it goes are the keys."""
        self.behaviour = self.publishing
        return web.Response(status=302, headers={"Location": self.url})

    def saying(self, body: str | bytes | object) -> Callable[[], Awaitable[web.StreamResponse]]:
        """Make a behaviour that gives this body, whatever it is."""

        async def say() -> web.StreamResponse:
            raw = body if isinstance(body, str | bytes) else json.dumps(body)
            return web.Response(body=raw, content_type="application/json")

        return say

    async def _serve(self, _request: web.Request) -> web.StreamResponse:
        self.requests += 1
        self.asked.set()
        return await self.behaviour()


def forge(secret: bytes, **header: str) -> str:
    """Make a token by hand, as an attacker does: with any header, and a MAC by any secret."""
    parts = [header, {"id": 7, "exp": int(time.time()) + 3600}]
    text = ".".join(_base64url(json.dumps(part).encode()) for part in parts)
    mac = hmac.digest(secret, text.encode(), "sha256") if secret else b""
    return f"{text}.{_base64url(mac)}"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _make(algorithm: str) -> PrivateKey:
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048)
