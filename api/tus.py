"""Headers of tus 1.0.0 and its extensions (pure)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from starlette.datastructures import Headers

from capture.receiver import Chunk
from infra.errors import InvalidInput

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-defer-length,checksum,expiration,termination"
PATCH_TYPE = "application/offset+octet-stream"
# Names as tus writes them → bytes of the digest; `hashlib` knows all of them.
CHECKSUMS: Mapping[str, int] = {"sha1": 20, "sha256": 32}
_MOST_METADATA_CHARACTERS = 8192
_MOST_DIGITS = 15


class BadHeader(InvalidInput):
    """A header of tus that cannot be read; tus asks for 400."""

    status = 400
    default_code = "upload.bad_header"


def parse_metadata(header: str | None) -> dict[str, str]:
    """`Upload-Metadata`: comma-separated keys with base64 values, each key once. Raises BadHeader."""
    if not header:
        return {}
    if len(header) > _MOST_METADATA_CHARACTERS:
        raise _unreadable()
    found: dict[str, str] = {}
    for pair in header.split(","):
        key, _, value = pair.strip().partition(" ")
        if not key or key in found or not (key.isascii() and key.isprintable()):
            raise _unreadable()
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (ValueError, binascii.Error) as error:
            raise _unreadable() from error
    return {key: value.replace("\x00", "") for key, value in found.items()}


def metadata_header(headers: Headers) -> str:
    """`Upload-Metadata` as it came, to be echoed; empty when there is none. Raises BadHeader."""
    return _once(headers, "upload-metadata") or ""


def new_length(headers: Headers) -> int | None:
    """The length a creation announces, None when it is deferred. Raises BadHeader unless it is exactly one of both."""
    deferred, length = _once(headers, "upload-defer-length"), _once(headers, "upload-length")
    if deferred not in {None, "1"} or (deferred is None) is (length is None):
        raise BadHeader("Send either Upload-Length, or Upload-Defer-Length: 1. Nothing was started.")
    if _once(headers, "upload-concat") is not None:
        raise BadHeader("This server cannot concatenate uploads. Nothing was started. Send the file as one upload.")
    return None if length is None else _count(length, "upload-length")


def chunk(headers: Headers) -> Chunk:
    """What a PATCH says about its bytes. Raises BadHeader."""
    offset = _once(headers, "upload-offset")
    length = _once(headers, "upload-length")
    announced = headers.get("content-length")
    algorithm, digest = _checksum(_once(headers, "upload-checksum"))
    return Chunk(
        offset_bytes=_count(offset or "", "upload-offset"),
        announced_bytes=None if announced is None else _count(announced, "content-length"),
        length_bytes=None if length is None else _count(length, "upload-length"),
        algorithm=algorithm,
        digest=digest,
    )


def _once(headers: Headers, name: str) -> str | None:
    values = headers.getlist(name)
    if len(values) > 1:
        raise BadHeader(f"The {name} header came more than once. Nothing was stored.")
    return values[0] if values else None


def _count(value: str, name: str) -> int:
    """A header that must be a whole number of bytes, below a petabyte."""
    if not value.isascii() or not value.isdecimal() or len(value) > _MOST_DIGITS:
        raise BadHeader(f"The {name} header must be a whole number of bytes. Nothing was stored.")
    return int(value)


def _checksum(header: str | None) -> tuple[str, bytes]:
    """`Upload-Checksum`: the algorithm and the digest in base64; both empty without the header."""
    if header is None:
        return "", b""
    algorithm, _, value = header.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise BadHeader(
            f"This server checks {' and '.join(CHECKSUMS)}. Nothing was stored.", code="upload.checksum_algorithm"
        )
    try:
        digest = base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        digest = b""
    if len(digest) != CHECKSUMS[algorithm]:
        raise BadHeader("The Upload-Checksum header cannot be read. Nothing was stored.")
    return algorithm, digest


def _unreadable() -> BadHeader:
    return BadHeader("The Upload-Metadata header cannot be read. Nothing was started.", code="upload.bad_metadata")
