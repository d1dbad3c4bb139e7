"""What a recording is: its streams, its true length, and whether a browser can play it as it stands.

Headers are hearsay. Length, frame rate and distance of key frames are counted from the packets, which also gives
a length to the WebM files of browsers, whose headers have none.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from capture.container import Container
from infra.errors import Rejected
from workers.media import ffmpeg, packets
from workers.media.confinement import Limits
from workers.media.packets import Track
from workers.media.sandbox import Sandbox

_HDR_TRANSFERS = {"smpte2084", "arib-std-b67"}
_DAMAGED = (
    "The description of the picture in this file is damaged or cut off. Your original is kept; "
    "record or export it again and upload that."
)
_PLAYABLE_PROFILES = {"Constrained Baseline", "Baseline", "Main", "High"}
_PLAYABLE_LEVEL = 52
_PLAYABLE_PIXELS = 2560 * 1440
_PLAYABLE_BIT_RATE = 25_000_000
_PLAYABLE_GOP_S = 10.5


@dataclass(frozen=True)
class MediaLimits:
    """What Lorecast takes. Lengths in seconds; a 5K-wide screen fits, an 8K one does not."""

    max_duration_s: float = 1800.0
    max_pixels: int = ffmpeg.MAX_PIXELS
    max_side: int = 8192
    max_fps: float = 300.0


@dataclass(frozen=True)
class VideoStream:
    """The picture. Width and height are as displayed: rotated, and with square pixels."""

    index: int
    width: int
    height: int
    codec: str
    profile: str
    level: int
    pix_fmt: str
    fps: float
    """Frames per second on average, counted."""
    rate: Fraction
    """The rate written in the header; a guess for variable frame rates."""
    rotation: int
    """Degrees clockwise the picture is turned for display: 0, 90, 180 or 270."""
    is_hdr: bool
    transfer: str
    matrix: str
    primaries: str
    color_range: str
    bit_rate: int
    frames: int
    start_s: float
    end_s: float
    gop_s: float
    """The longest time between two key frames."""
    trimmed: bool
    """An edit list hides frames at the start."""


@dataclass(frozen=True)
class AudioStream:
    """The sound."""

    index: int
    codec: str
    profile: str
    channels: int
    sample_rate: int
    start_s: float


@dataclass(frozen=True)
class MediaInfo:
    """What `probe` found. All times are on the clip's timeline, which starts at the first packet."""

    container: Container
    duration_s: float
    video: VideoStream | None
    audio: AudioStream | None
    size_bytes: int
    copyable: bool
    """The picture can be put into an MP4 as it is, and every browser plays it."""
    why_not: str
    """Why it is not copyable; empty when it is."""


def _room(size_bytes: int) -> Limits:
    """Room for reading headers and listing packets: an honest gigabyte takes seconds, a loop of edits for ever."""
    return Limits(
        wall_s=30 + size_bytes / 16e6,
        no_progress_s=None,
        memory_bytes=512 << 20,
        cpu_s=5 + size_bytes // 64_000_000,
        output_bytes=1 << 20,
        processes=64,
    )


async def probe(sandbox: Sandbox, source: Path, container: Container, *, limits: MediaLimits) -> MediaInfo:
    """Look at `source`. Raises Rejected with a `media.*` code when Lorecast cannot make a clip of it."""
    inputs = {ffmpeg.source_name(container): source}
    room = _room((await asyncio.to_thread(source.stat)).st_size)
    try:
        headers = await sandbox.run(ffmpeg.headers(container), inputs=inputs, output=None, limits=room)
    except Rejected as rejected:
        raise _named(rejected) from rejected
    found = _parsed(headers.stdout)
    video, audio = _first(found, "video"), _first(found, "audio")
    _refuse_unusable(found, video, audio)
    if video is not None:
        _refuse_size(video, limits)
    listed = await sandbox.run(
        ffmpeg.packets(container),
        inputs=inputs, output=None, limits=room,
    )  # fmt: skip
    tracks = packets.read(listed.stdout)
    origin_s = _number(found.get("format", {}).get("start_time"))
    picture = _video(video, tracks.get(video["index"]), origin_s) if video else None
    sound = _audio(audio, tracks.get(audio["index"]), origin_s) if audio else None
    used = [tracks[stream.index] for stream in (picture, sound) if stream is not None]
    duration_s = max((track.end_s for track in used), default=0.0) - origin_s
    _refuse_measured(picture, sound, duration_s, limits)
    why_not = _why_not_copyable(picture)
    size_bytes = int(_number(found.get("format", {}).get("size")))
    return MediaInfo(container, duration_s, picture, sound, size_bytes, not why_not, why_not)


def _parsed(stdout: bytes) -> dict[str, Any]:
    try:
        found = json.loads(stdout or b"{}")
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _first(found: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """The stream to use: the first of its kind that can be decoded and is no cover picture."""
    for stream in found.get("streams", []):
        cover = stream.get("disposition", {}).get("attached_pic")
        if stream.get("codec_type") == kind and not cover and stream.get("codec_name") in ffmpeg.CODECS[kind]:
            return dict(stream)
    return None


def _named(rejected: Rejected) -> Rejected:
    """The same, or, when ffprobe met a format that is not on the list, a sentence that names it."""
    unlisted = re.search(r"Codec \((\w+)\) not on whitelist", rejected.detail)
    if rejected.code != "media.unreadable" or not unlisted:
        return rejected
    return Rejected(_unknown_codec("something in it", unlisted[1]), code="media.codec", detail=rejected.detail)


def _unknown_codec(what: str, codec: str) -> str:
    return (
        f"In this file {what} is stored as {codec}, which Lorecast does not read. "
        "Your original is kept; export it as MP4 (H.264) and upload that."
    )


def _refuse_unusable(found: dict[str, Any], video: dict[str, Any] | None, audio: dict[str, Any] | None) -> None:
    """A picture or a sound must be there; a picture in a format we do not read is no reason to drop it."""
    for stream in found.get("streams", []):
        cover = stream.get("disposition", {}).get("attached_pic")
        if video is None and stream.get("codec_type") == "video" and not cover:
            if "codec_name" in stream:
                raise Rejected(_unknown_codec("the picture", stream["codec_name"]), code="media.codec")
            raise Rejected(_DAMAGED, code="media.unreadable")
    if video is None and audio is None:
        raise Rejected(
            "There is neither a picture nor a sound in this file that Lorecast can read. "
            "Your original is kept; export it as MP4 (H.264) and upload that.",
            code="media.empty",
        )


def _refuse_size(video: dict[str, Any], limits: MediaLimits) -> None:
    width, height = int(video.get("width", 0)), int(video.get("height", 0))
    if width < 1 or height < 1:
        raise Rejected(_DAMAGED, code="media.unreadable")
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise Rejected(
            f"The picture is {width} × {height}; Lorecast takes up to 4096 × 4096. "
            "Your original is kept; export it smaller (1920 × 1080 is plenty) and upload that.",
            code="media.too_large_picture",
        )


def _refuse_measured(
    video: VideoStream | None, audio: AudioStream | None, duration_s: float, limits: MediaLimits
) -> None:
    if video is None and audio is None:
        raise Rejected(
            "There is not one readable frame in this file: it may be cut off. Your original is kept; "
            "record or export it again and upload that.",
            code="media.empty",
        )
    if duration_s > limits.max_duration_s:
        raise Rejected(
            f"The recording is {duration_s / 60:.0f} minutes long; Lorecast takes up to "
            f"{limits.max_duration_s / 60:.0f}. Your original is kept; cut it into shorter parts and upload those.",
            code="media.too_long",
        )
    if video is not None and video.fps > limits.max_fps:
        raise Rejected(
            f"The recording claims {video.fps:.0f} frames a second; Lorecast takes up to {limits.max_fps:.0f}. "
            "Your original is kept; export it at 30 or 60 frames a second and upload that.",
            code="media.frame_rate",
        )


def _video(stream: dict[str, Any], track: Track | None, origin_s: float) -> VideoStream | None:
    if track is None:
        return None
    rotation = _rotation(stream)
    aspect = _ratio(stream.get("sample_aspect_ratio"), ":") or Fraction(1)
    if not Fraction(1, 8) <= aspect <= 8:
        aspect = Fraction(1)
    width, height = int(stream["width"]), int(stream["height"])
    if aspect > 1:
        width = round(width * aspect)
    else:
        height = round(height / aspect)
    if rotation in {90, 270}:
        width, height = height, width
    transfer = str(stream.get("color_transfer", ""))
    rate = _ratio(stream.get("r_frame_rate"), "/") or Fraction(30)
    return VideoStream(
        index=int(stream["index"]), width=width, height=height, codec=str(stream["codec_name"]),
        profile=str(stream.get("profile", "")), level=int(stream.get("level", 0)),
        pix_fmt=str(stream.get("pix_fmt", "")), fps=_fps(track, rate), rate=rate, rotation=rotation,
        is_hdr=transfer in _HDR_TRANSFERS, transfer=transfer, matrix=str(stream.get("color_space", "")),
        primaries=str(stream.get("color_primaries", "")), color_range=str(stream.get("color_range", "")),
        bit_rate=int(track.size_bytes * 8 / max(track.length_s, 1e-3)), frames=track.frames,
        start_s=track.start_s - origin_s, end_s=track.end_s - origin_s, gop_s=track.gop_s, trimmed=track.trimmed,
    )  # fmt: skip


def _audio(stream: dict[str, Any], track: Track | None, origin_s: float) -> AudioStream | None:
    rate, channels = int(stream.get("sample_rate", 0)), int(stream.get("channels", 0))
    if track is None or rate <= 0 or not 0 < channels <= 64:
        return None
    return AudioStream(
        index=int(stream["index"]), codec=str(stream["codec_name"]), profile=str(stream.get("profile", "")),
        channels=channels, sample_rate=rate, start_s=track.start_s - origin_s,
    )  # fmt: skip


def _why_not_copyable(video: VideoStream | None) -> str:
    """Every browser plays H.264 up to High, 8 bit, 4:2:0; seeking needs a key frame within reach."""
    if video is None:
        return "there is no picture"
    reasons = {
        f"the picture is {video.codec}, not H.264": video.codec != "h264",
        f"profile {video.profile}": video.profile not in _PLAYABLE_PROFILES,
        f"level {video.level / 10:.1f}": video.level > _PLAYABLE_LEVEL,
        f"pixel format {video.pix_fmt}": video.pix_fmt not in {"yuv420p", "yuvj420p"},
        f"{video.width} × {video.height} is large": video.width * video.height > _PLAYABLE_PIXELS,
        f"{video.bit_rate / 1e6:.0f} Mbit/s": video.bit_rate > _PLAYABLE_BIT_RATE,
        f"key frames {video.gop_s:.0f} s apart": video.gop_s > _PLAYABLE_GOP_S,
        "an edit list hides its beginning": video.trimmed,
        "high dynamic range": video.is_hdr,
    }
    return next((reason for reason, applies in reasons.items() if applies), "")


def _rotation(stream: dict[str, Any]) -> int:
    """Degrees clockwise, in quarter turns; ffprobe counts counter-clockwise."""
    for data in stream.get("side_data_list", []):
        if "rotation" in data:
            return round(-_number(data["rotation"]) / 90) * 90 % 360
    return 0


def _fps(track: Track, rate: Fraction) -> float:
    """Counted; for a still, what the header says within reason."""
    if track.frames > 2 and track.length_s > 0:
        return track.frames / track.length_s
    return float(min(max(rate, Fraction(1)), Fraction(60)))


def _ratio(text: object, separator: str) -> Fraction | None:
    try:
        above, below = str(text).split(separator)
        return Fraction(int(above), int(below)) or None
    except (ValueError, ZeroDivisionError):
        return None


def _number(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        return 0.0
