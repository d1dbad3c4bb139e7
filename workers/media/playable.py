"""The quick way to something that plays: the picture as it is, in an MP4 that starts at once."""

from __future__ import annotations

from pathlib import Path

from workers.media import ffmpeg, ladder
from workers.media.probe import AudioStream, MediaInfo
from workers.media.sandbox import Sandbox

_NAME = "playable.mp4"


async def make_playable(sandbox: Sandbox, source: Path, info: MediaInfo, out: Path) -> Path | None:
    """Write `out/playable.mp4`; None when the source must be encoded first (`info.why_not` says why).

    Raises Rejected or Transient as `Sandbox.run` does.
    """
    if not info.copyable or info.video is None:
        return None
    await sandbox.run(
        ffmpeg.remux(
            info.container,
            info.video.index,
            info.audio.index if info.audio else None,
            _NAME,
            copy_audio=plays_everywhere(info.audio),
        ),
        inputs={ffmpeg.source_name(info.container): source},
        output=out,
        limits=ladder.copy_limits(info),
    )
    return out / _NAME


def plays_everywhere(audio: AudioStream | None) -> bool:
    """AAC-LC in mono or stereo; odd channel layouts fail in some browsers."""
    return audio is None or (audio.codec == "aac" and audio.profile == "LC" and audio.channels <= 2)
