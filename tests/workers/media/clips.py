"""A recording taken through every media stage, for tests to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from capture.container import HEAD_BYTES, Container, sniff
from workers.media.audio import Audio, extract_audio, gain_to_target
from workers.media.playable import make_playable
from workers.media.probe import MediaInfo, MediaLimits, probe
from workers.media.renditions import Renditions, make_renditions
from workers.media.sandbox import Sandbox


@dataclass(frozen=True)
class Clip:
    """What the stages made of one recording."""

    info: MediaInfo
    playable: Path | None
    audio: Audio | None
    made: Renditions


async def looked_at(sandbox: Sandbox, recording: Path) -> MediaInfo:
    """Sniffed and probed as a worker does it."""
    with recording.open("rb") as file:
        container = sniff(file.read(HEAD_BYTES))
    assert container is not None
    return await probe(sandbox, recording, container, limits=MediaLimits())


async def processed(sandbox: Sandbox, recording: Path, out: Path) -> Clip:
    """Taken through every stage, one after the other, into `out`."""
    info = await looked_at(sandbox, recording)
    playable = await make_playable(sandbox, recording, info, out)
    audio = await extract_audio(sandbox, recording, info, out)
    made = await make_renditions(
        sandbox, recording, info, out, gain_db=gain_to_target(audio), threads=2, nice=0, on_progress=None
    )
    return Clip(info, playable, audio, made)


async def result(sandbox: Sandbox, video: Path) -> MediaInfo:
    """What one of our own outputs is."""
    return await probe(sandbox, video, Container.MP4, limits=MediaLimits())
