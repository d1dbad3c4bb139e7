"""HTTP byte ranges (RFC 9110 §14), for one range; several at once are answered with the whole."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from infra.storage import Storage

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)
_LOOK_EVERY_S = 2.0


@dataclass(frozen=True)
class ByteRange:
    """Bytes `first`..`last`, both included."""

    first: int
    last: int

    @property
    def size_bytes(self) -> int:
        """How many bytes that is."""
        return self.last - self.first + 1


class Unsatisfiable(Exception):
    """The range lies outside the file: answer 416."""


def parse_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """The range asked for, or None for the whole file: no range, not understood, or more than one.

    Raises Unsatisfiable.
    """
    found = _ONE_RANGE.fullmatch(header.strip()) if header else None
    if found is None:
        return None
    first, last = found.groups()
    if first == last == "" or (first and last and int(last) < int(first)):
        return None
    if first == "":
        wanted = ByteRange(max(0, size_bytes - int(last)), size_bytes - 1)
    else:
        wanted = ByteRange(int(first), min(int(last) if last else size_bytes - 1, size_bytes - 1))
    if wanted.first > wanted.last:
        raise Unsatisfiable
    return wanted


def names(header: str | None, etag: str) -> bool:
    """Whether `If-None-Match` or `If-Range` names this ETag (strong, in quotes)."""
    return header is not None and (header.strip() == "*" or etag in [one.strip() for one in header.split(",")])


async def opened(
    storage: Storage, key: str, wanted: ByteRange, still_allowed: Callable[[], Awaitable[None]]
) -> AsyncIterator[bytes]:
    """The bytes of an object, in pieces; ends in the middle when `still_allowed`, asked every few seconds, raises.

    Raises NotFound and Unavailable at once, so that the reply can still say so.
    """
    pieces = storage.stream(key, first=wanted.first, last=wanted.last)
    first = await anext(pieces, b"")

    async def rest() -> AsyncIterator[bytes]:
        looked_at = time.monotonic()
        yield first
        async for piece in pieces:
            if time.monotonic() - looked_at >= _LOOK_EVERY_S:
                await still_allowed()
                looked_at = time.monotonic()
            yield piece

    return rest()
