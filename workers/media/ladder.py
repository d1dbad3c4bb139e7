"""Which renditions a recording gets, and how large everything is. Pure.

Capped constant quality as Opencast and PeerTube do it, key frames two seconds apart; 30 frames a second is the cap,
because faster motion teaches nothing in a how-to.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction

from workers.media.confinement import Limits
from workers.media.probe import MediaInfo, VideoStream

GOP_S = 2
_TOP, _SMALL = 720, 540
_FPS_CAP = Fraction(30)
_KEPT_BIT_RATE = 6_000_000
_KEPT_GOP_S = 5.5
_KEPT_FPS = 61
_TILE_SIDE = 160
_TILE_COLUMNS = 10
_MOST_TILES = 100
_LEAST_STEP_S = 1.0
_PIXELS_1080P = 1920 * 1080
_AUDIO_ONLY_PICTURE = (1280, 720)


@dataclass(frozen=True)
class Rung:
    """One rendition to encode: capped constant quality."""

    name: str
    width: int
    height: int
    crf: int
    maxrate_kbit: int


@dataclass(frozen=True)
class Sheet:
    """The storyboard: tiles of `tile_width` x `tile_height`, one every `step_s`, row by row."""

    step_s: float
    columns: int
    rows: int
    tile_width: int
    tile_height: int


@dataclass(frozen=True)
class Plan:
    """Everything one pass makes."""

    rungs: tuple[Rung, ...]
    """Largest first; never empty."""
    kept: str | None
    """Name of the rendition that keeps the source's picture as it is, when there is one."""
    fps: Fraction
    """The most frames a second; one that repeats the last is left out."""
    sheet: Sheet
    poster_step_s: float


def plan(info: MediaInfo) -> Plan:
    """Decide what to make of a recording."""
    width, height = displayed(info)
    kept = _keeps_source(info)
    rungs = _rungs(width, height, spare_top=kept)
    small = rungs[-1]
    return Plan(
        rungs=rungs,
        kept=f"{min(width, height)}p" if kept else None,
        fps=output_fps(info.video),
        sheet=_sheet(info.duration_s, small.width, small.height),
        poster_step_s=max(info.duration_s / 12, 0.04),
    )


def displayed(info: MediaInfo) -> tuple[int, int]:
    """Width and height of the picture on a screen; a sound alone gets a drawn one."""
    return (info.video.width, info.video.height) if info.video else _AUDIO_ONLY_PICTURE


def output_fps(video: VideoStream | None) -> Fraction:
    """The most frames a second, at most 30: the source's own when it is steady, its half when that is steady."""
    if video is None:
        return Fraction(10)
    for rate in (video.rate, video.rate / 2):
        steady = abs(float(video.rate) - video.fps) < 0.02 * video.fps
        if steady and 10 <= rate <= _FPS_CAP + Fraction(1, 100):
            return rate
    return _FPS_CAP


def _keeps_source(info: MediaInfo) -> bool:
    """A light, seekable source serves as the top rendition; encoding it again would only blur it."""
    video = info.video
    return (
        info.copyable
        and video is not None
        and min(video.width, video.height) > _SMALL
        and video.bit_rate <= _KEPT_BIT_RATE
        and video.gop_s <= _KEPT_GOP_S
        and video.fps <= _KEPT_FPS
        and video.start_s < 0.1
    )


def _rungs(width: int, height: int, *, spare_top: bool) -> tuple[Rung, ...]:
    short = min(width, height)
    heights = [side for side in (_TOP, _SMALL) if side < short]
    if len(heights) < 2 and not spare_top:
        heights = [min(short, _TOP), *(side for side in heights if side < min(short, _TOP))]
    if spare_top:
        heights = [_SMALL]
    return tuple(_rung(width, height, side) for side in heights)


def _rung(width: int, height: int, side: int) -> Rung:
    scale = Fraction(side, min(width, height))
    wide, high = _even(width * scale), _even(height * scale)
    share = wide * high / (1280 * 720)
    return Rung(f"{side}p", wide, high, 23 if side > _SMALL else 24, max(300, round(2500 * share**0.75)))


def _sheet(duration_s: float, width: int, height: int) -> Sheet:
    step_s = max(_LEAST_STEP_S, math.ceil(duration_s / _MOST_TILES * 2) / 2)
    tiles = max(1, math.ceil(duration_s / step_s - 1e-6))
    columns = min(_TILE_COLUMNS, tiles)
    scale = min(Fraction(1), Fraction(_TILE_SIDE, max(width, height)))
    return Sheet(step_s, columns, -(-tiles // columns), _even(width * scale), _even(height * scale))


def _even(size: Fraction | int) -> int:
    return max(2, int(size) // 2 * 2)


def encode_limits(info: MediaInfo) -> Limits:
    """Room for an encode on a busy machine with two cores: some twelve times the length at 1080p, and frames
    for decoder, filters and look-ahead. Measured need: see docs/decisions."""
    width, height = displayed(info)
    wall_s = 90 + 6 * info.duration_s * (1 + width * height / _PIXELS_1080P)
    return Limits(
        wall_s=wall_s,
        no_progress_s=120,
        memory_bytes=(1 << 30) + 120 * width * height,
        cpu_s=math.ceil(2 * wall_s),
        output_bytes=int(64e6 + 2 * info.size_bytes + info.duration_s * 1.5e6),
        processes=256,
    )


def copy_limits(info: MediaInfo) -> Limits:
    """Room for reading and writing the file twice, and for decoding its sound."""
    return Limits(
        wall_s=60 + info.duration_s,
        no_progress_s=30,
        memory_bytes=768 << 20,
        cpu_s=math.ceil(60 + info.duration_s / 2),
        output_bytes=int(16e6 + 2 * info.size_bytes + info.duration_s * 64e3),
    )


def still_limits(info: MediaInfo) -> Limits:
    """Room for a hundred tiles and twelve pictures; there is nothing to report on the way."""
    return dataclasses.replace(copy_limits(info), wall_s=120, cpu_s=60, no_progress_s=None)
