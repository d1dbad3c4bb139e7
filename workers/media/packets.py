"""What the list of packets says: true length, frames, bytes and key frames of each stream. Pure."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

FIELDS = "stream_index,pts_time,dts_time,duration_time,size,flags"
_SANE_PACKET_S = 10.0


@dataclass(frozen=True)
class Track:
    """One stream as its packets tell it, in seconds on the file's own timeline."""

    start_s: float
    end_s: float
    frames: int
    size_bytes: int
    gop_s: float
    trimmed: bool

    @property
    def length_s(self) -> float:
        """From its first packet to the end of its last one."""
        return self.end_s - self.start_s


@dataclass
class _Tally:
    starts: list[float]
    ends: list[float]
    keys: list[float]
    size_bytes: int = 0
    trimmed: bool = False


def read(listing: bytes) -> dict[int, Track]:
    """Read ffprobe's packets (`FIELDS`, as CSV without section names) into tracks by stream index.

    A packet that is discarded (hidden by an edit list, or encoder delay) counts for bytes only. A stream without
    one visible packet is left out.
    """
    tallies: dict[int, _Tally] = {}
    for line in listing.decode("ascii", "replace").splitlines():
        _note(line.split(","), tallies)
    return {index: _track(tally) for index, tally in tallies.items() if tally.starts}


def _note(fields: list[str], tallies: dict[int, _Tally]) -> None:
    if len(fields) < 6 or not fields[0].isdigit():
        return
    tally = tallies.setdefault(int(fields[0]), _Tally([], [], []))
    tally.size_bytes += int(fields[4]) if fields[4].isdigit() else 0
    start_s = _seconds(fields[1], _seconds(fields[2], None))
    flags = fields[5]
    if "D" in flags:
        tally.trimmed = True
        return
    if start_s is None:
        return
    length_s = _seconds(fields[3], 0.0) or 0.0
    tally.starts.append(start_s)
    tally.ends.append(start_s + (length_s if 0 <= length_s <= _SANE_PACKET_S else 0.0))
    if "K" in flags:
        tally.keys.append(start_s)


def _track(tally: _Tally) -> Track:
    start_s, end_s = min(tally.starts), max(tally.ends)
    marks = [*sorted(tally.keys), end_s]
    gop_s = max((after - before for before, after in itertools.pairwise(marks)), default=0.0)
    return Track(start_s, end_s, len(tally.starts), tally.size_bytes, gop_s, tally.trimmed)


def _seconds(text: str, otherwise: float | None) -> float | None:
    try:
        return float(text)
    except ValueError:
        return otherwise
