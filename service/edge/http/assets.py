"""The scripts and style sheets of the pages, without comments and white space.

That saves nearly half of their bytes, and needs no build: each file is shortened when it is first
asked for, and again when it has changed. `/web/` has the files as they are written.
"""

from __future__ import annotations

import gzip
import re
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
import rcssmin
import rjsmin
from aiohttp import ETag, web

from service.edge.http.private_names import short_private_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_INSIDE = re.compile(r"(?<=\S) :(?=[a-z])")
"""What is inside of something, as `.list :focus`: rcssmin takes the space away in nested rules."""

CONTENT_TYPES = {".js": "text/javascript", ".css": "text/css"}


class Asset(msgspec.Struct, frozen=True):
    """A file as it is served."""

    body: bytes
    zipped: bytes
    etag: str


def short_script(text: str) -> str:
    """Return JavaScript that does the same."""
    return str(rjsmin.jsmin(short_private_names(text)))


def short_style(text: str) -> str:
    """Return CSS that says the same."""
    return str(rcssmin.cssmin(_INSIDE.sub(" *:", text)))


@lru_cache(maxsize=256)
def _asset(path: Path, _changed_ns: int) -> Asset:
    shorten = short_script if path.suffix == ".js" else short_style
    body = shorten(path.read_text()).encode()
    return Asset(body, gzip.compress(body, mtime=0), sha256(body).hexdigest()[:32])


def asset_routes(directory: Path, headers: Mapping[str, str]) -> list[web.AbstractRouteDef]:
    """Serve the scripts and style sheets below a directory, listed once, at `/app/PATH`."""
    files = {
        path.relative_to(directory).as_posix(): path
        for path in directory.rglob("*")
        if path.suffix in CONTENT_TYPES
    }

    async def serve(request: web.Request) -> web.StreamResponse:
        path = files.get(request.match_info["path"])
        if path is None:
            raise web.HTTPNotFound
        return _response(request, path, headers)

    return [web.get("/app/{path:.+}", serve)]


def _response(request: web.Request, path: Path, headers: Mapping[str, str]) -> web.StreamResponse:
    asset = _asset(path, path.stat().st_mtime_ns)
    content_type = CONTENT_TYPES[path.suffix]
    response = web.Response(content_type=content_type, charset="utf-8", headers=headers)
    response.etag = asset.etag
    response.headers["Vary"] = "Accept-Encoding"
    if ETag(asset.etag) in (request.if_none_match or ()):
        response.set_status(304)
    elif "gzip" in request.headers.get("Accept-Encoding", ""):
        response.headers["Content-Encoding"] = "gzip"
        response.body = asset.zipped
    else:
        response.body = asset.body
    return response
