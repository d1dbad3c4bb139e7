"""Everything a clip shows, from one decode: renditions, poster, storyboard, waveform, screen changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from infra.errors import Rejected
from workers.media import ffmpeg, graph, ladder
from workers.media.audio import share_of
from workers.media.ladder import Plan, Sheet
from workers.media.probe import MediaInfo
from workers.media.sandbox import Sandbox
from workers.media.screens import CHANGES, noted_changes

_PEAKS = "peaks.json"
_STORYBOARD_VTT = "storyboard.vtt"
_MOST_PEAKS = 1800


@dataclass(frozen=True)
class VideoFile:
    """One file a browser plays."""

    name: str
    path: Path
    width: int
    height: int
    size_bytes: int
    media_type: str = "video/mp4"


@dataclass(frozen=True)
class Renditions:
    """What `make_renditions` wrote; times are seconds of the clip."""

    videos: list[VideoFile]
    """Largest first."""
    poster: Path | None
    storyboard: Path | None
    storyboard_vtt: Path | None
    peaks: Path | None
    """The waveform as JSON in audiowaveform's format, version 2: min and max pairs, 8 bit."""
    scene_changes_s: list[float]
    """When the screen changed, at least a second apart; right to half a second."""


async def make_renditions(
    sandbox: Sandbox,
    source: Path,
    info: MediaInfo,
    out: Path,
    *,
    gain_db: float | None,
    threads: int,
    nice: int,
    on_progress: Callable[[float], None] | None = None,
) -> Renditions:
    """Make all of it in `out`. `on_progress` hears the share done, 0 to 1.

    Raises Rejected when the recording cannot be decoded, and Transient as `Sandbox.run` does.
    """
    plan = ladder.plan(info)
    await sandbox.run(
        graph.everything(info, plan, gain_db=gain_db, threads=threads),
        inputs={ffmpeg.source_name(info.container): source},
        output=out,
        limits=ladder.encode_limits(info),
        on_progress=share_of(info.duration_s, on_progress),
        nice=nice,
    )
    await _make_stills(sandbox, info, plan, out, nice)
    return await asyncio.to_thread(_collected, info, plan, out)


async def _make_stills(sandbox: Sandbox, info: MediaInfo, plan: Plan, out: Path, nice: int) -> None:
    """The poster and the storyboard out of the pictures of the first run, which are removed."""
    pictures = {name: out / name for name in (graph.CANDIDATES, graph.TILES)}
    if not all(_written(path) for path in pictures.values()):
        raise Rejected(
            "Not one frame of this recording can be decoded. Your original is kept; export it again as MP4 "
            "(H.264) and upload that.",
            code="media.unreadable",
        )
    limits = ladder.still_limits(info)
    await sandbox.run(graph.stills(plan), inputs=pictures, output=out, limits=limits, nice=nice)
    for path in pictures.values():
        path.unlink()


def _collected(info: MediaInfo, plan: Plan, out: Path) -> Renditions:
    storyboard = _written(out / graph.STORYBOARD)
    vtt = None
    if storyboard is not None:
        vtt = out / _STORYBOARD_VTT
        vtt.write_text(storyboard_cues(plan.sheet, info.duration_s, graph.STORYBOARD), encoding="utf-8")
    return Renditions(
        videos=_videos(info, plan, out),
        poster=_written(out / graph.POSTER),
        storyboard=storyboard,
        storyboard_vtt=vtt,
        peaks=_peaks(out),
        scene_changes_s=noted_changes(out / CHANGES, info.duration_s),
    )


def _videos(info: MediaInfo, plan: Plan, out: Path) -> list[VideoFile]:
    sizes = [(rung.name, rung.width, rung.height) for rung in plan.rungs]
    if plan.kept is not None:
        sizes.insert(0, (plan.kept, *ladder.displayed(info)))
    files = [(name, _written(out / graph.file_name(name)), width, height) for name, width, height in sizes]
    return [
        VideoFile(name, path, width, height, path.stat().st_size)
        for name, path, width, height in files
        if path is not None
    ]


def _written(path: Path) -> Path | None:
    return path if path.is_file() and path.stat().st_size > 0 else None


def storyboard_cues(sheet: Sheet, duration_s: float, image: str) -> str:
    """WebVTT whose cues name a tile of `image` by media fragment (`#xywh=x,y,w,h`)."""
    cues = ["WEBVTT", ""]
    for tile in range(sheet.columns * sheet.rows):
        start_s, end_s = tile * sheet.step_s, min((tile + 1) * sheet.step_s, duration_s)
        if end_s - start_s < 0.001:
            break
        row, column = divmod(tile, sheet.columns)
        box = f"{column * sheet.tile_width},{row * sheet.tile_height},{sheet.tile_width},{sheet.tile_height}"
        cues += [f"{_clock(start_s)} --> {_clock(end_s)}", f"{image}#xywh={box}", ""]
    return "\n".join(cues)


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _peaks(out: Path) -> Path | None:
    """Shrink the waveform's PCM to at most `_MOST_PEAKS` pairs; the PCM itself is removed."""
    pcm = out / graph.WAVEFORM
    samples = np.fromfile(pcm, dtype="<i2") if pcm.exists() else np.zeros(0, dtype="<i2")
    pcm.unlink(missing_ok=True)
    if samples.size == 0:
        return None
    per_pixel = max(1, -(-samples.size // _MOST_PEAKS))
    padded = np.pad(samples, (0, -samples.size % per_pixel)).reshape(-1, per_pixel) // 256
    data = np.column_stack([padded.min(axis=1), padded.max(axis=1)]).ravel().tolist()
    described = {
        "version": 2, "channels": 1, "sample_rate": graph.WAVEFORM_RATE, "samples_per_pixel": per_pixel,
        "bits": 8, "length": len(data) // 2, "data": data,
    }  # fmt: skip
    peaks = out / _PEAKS
    peaks.write_text(json.dumps(described, separators=(",", ":")), encoding="utf-8")
    return peaks
