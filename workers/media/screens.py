"""When the screen changed: read from what a decode noted, or glimpsed at the key frames alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import structlog

from infra.errors import WorkError
from workers.media import ffmpeg, ladder
from workers.media.probe import MediaInfo
from workers.media.sandbox import Sandbox

CHANGE_SCORE = 1.5
"""From which difference on ffmpeg's scdet calls a small picture another one."""
CHANGES = "changes.txt"

_APART_S = 1.0
_CAMERA_EVERY_S = 4.0
# Key frames nearer to each other are a decode of everything; farther apart they say nothing about when.
_GLIMPSED_GOP_S = (0.4, 8.0)
_WIDTH = 160
log = structlog.get_logger()


async def glimpse(sandbox: Sandbox, source: Path, info: MediaInfo, out: Path) -> list[float]:
    """Changes of the screen in seconds, right to half the distance of key frames; none when those tell nothing.

    A hundredth of a whole decode or so, for who cannot wait for it. A file that cannot be read so has none.
    """
    video = info.video
    least_s, most_s = _GLIMPSED_GOP_S
    if video is None or not least_s <= video.gop_s <= most_s:
        return []
    try:
        await sandbox.run(
            _at_key_frames(info, video.index),
            inputs={ffmpeg.source_name(info.container): source},
            output=out,
            limits=ladder.copy_limits(info),
        )
    except WorkError as error:
        log.warning("media.not_glimpsed", code=error.code)
        return []
    # What a key frame shows for the first time came at some time since the one before.
    return [max(0.0, at_s - video.gop_s / 2) for at_s in noted_changes(out / CHANGES, info.duration_s)]


def _at_key_frames(info: MediaInfo, stream: int) -> list[str]:
    """ffmpeg's arguments: key frames alone, made small, differences noted."""
    noted = (
        ffmpeg.source(info.container, skip_frame="nokey")[str(stream)]
        .filter("scale", _WIDTH, -2, flags="area")
        .filter("format", "yuvj420p")
        .filter("scdet", threshold=CHANGE_SCORE)
        .filter("metadata", mode="print", key="lavfi.scd.time", file=ffmpeg.output_path(CHANGES))
    )
    return ffmpeg.compiled([noted.output("-", f="null", fps_mode="passthrough", t=info.duration_s, **ffmpeg.CLEAN)])


def noted_changes(printed: Path, duration_s: float) -> list[float]:
    """The times scdet noted in `printed`, which is removed."""
    if not printed.exists():
        return []
    text = printed.read_text(encoding="ascii", errors="replace")
    noted = re.findall(r"^lavfi\.scd\.time=([\d.]+)$", text, re.MULTILINE)
    printed.unlink()
    return screen_changes(map(float, noted), duration_s)


def screen_changes(noted_s: Iterable[float], duration_s: float) -> list[float]:
    """Changes at least a second apart, so that an animation counts once; none when there are so many that a
    camera must be moving: then they say nothing about the subject."""
    times: list[float] = []
    for time_s in sorted(noted_s):
        if time_s >= _APART_S and (not times or time_s - times[-1] >= _APART_S):
            times.append(time_s)
    return times if len(times) <= 2 + duration_s / _CAMERA_EVERY_S else []
