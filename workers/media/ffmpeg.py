"""Argument lists for ffprobe and ffmpeg: what every call has in common, and the short calls. Pure.

Each call pins the demuxer to the sniffed container, allows one protocol, a few decoders, so many pixels and
streams, names every stream it takes, and drops what could identify a person or a device.
"""

from __future__ import annotations

from typing import Any

import ffmpeg

from capture.container import Container
from workers.media import packets as packet_listing
from workers.media.confinement import INPUTS, OUTPUT

MAX_PIXELS = 4096 * 4096
_MAX_STREAMS = 64
_PROBE_BYTES = 10_000_000
_ANALYZE_US = 10_000_000

CODECS = {
    "video": frozenset({"h264", "hevc", "vp8", "vp9", "av1"}),
    "audio": frozenset({
        "aac", "alac", "flac", "mp3", "opus", "vorbis",
        "pcm_f32le", "pcm_s16be", "pcm_s16le", "pcm_s24le", "pcm_s32le",
    }),
}  # fmt: skip
"""Codecs phones, browsers and screen recorders write. Everything else stays closed (CVE-2026-8461)."""

_NEVER_FED = {
    "v": "mjpeg,png",
    "s": "srt,subrip,mov_text,ass,ssa,webvtt,text,dvdsub,dvbsub,pgssub",
}
"""Cover pictures and subtitles beside the recording: ffprobe insists on opening their decoders, but the list of the
demuxer, which stays strict, keeps every packet of theirs away."""

_DECODERS = ",".join(sorted(CODECS["video"] | CODECS["audio"] | {"libdav1d", "mp3float", "libopus"}))
_QUIET = ("-hide_banner", "-nostdin", "-nostats", "-y")
_PROGRESS = ("-progress", "pipe:1", "-stats_period", "0.5")

CLEAN: dict[str, Any] = {
    "map_metadata": -1, "map_chapters": -1, "sn": None, "dn": None, "fflags": "+bitexact",
    "flags:v": "+bitexact", "flags:a": "+bitexact",
}  # fmt: skip
"""For every output: no tags, no chapters, no subtitles, no data, no encoder names."""

AAC: dict[str, Any] = {"c:a": "aac", "b:a": "128k", "aac_coder": "fast", "ac": 2, "ar": 48000}
"""The sound of every output. `fast` takes a third of the default coder's time and, at this rate, is nearer to
speech (docs/decisions/0007)."""

WITHOUT_NOTES = "filter_units=remove_types=6"
"""Bitstream filter for H.264 that is copied: SEI (NAL type 6) is where cameras leave notes."""


def source_name(container: Container) -> str:
    """The name of the upload inside the sandbox. The server chose it."""
    return f"source{container.suffix}"


def _guards(container: Container) -> dict[str, Any]:
    return {
        "f": container.demuxer,
        "format_whitelist": container.demuxer,
        "protocol_whitelist": "file",
        "codec_whitelist": _DECODERS,
        "max_pixels": MAX_PIXELS,
        "max_streams": _MAX_STREAMS,
        "probesize": _PROBE_BYTES,
        "analyzeduration": _ANALYZE_US,
    }


def source(container: Container, *, threads: int = 2, **more: str) -> Any:  # noqa: ANN401 - ffmpeg-python has no types
    """The upload as ffmpeg-python's input, with `more` options. A picture that changes its size (a shared window
    made larger) goes through the same filters, so that nothing starts over."""
    options = {"threads": threads, "reinit_filter:v": 0, **more, **_guards(container)}
    return ffmpeg.input(f"{INPUTS}/{source_name(container)}", **options)


def own_pictures(name: str) -> Any:  # noqa: ANN401 - ffmpeg-python has no types
    """JPEGs that an earlier run left, as input."""
    return ffmpeg.input(
        f"{INPUTS}/{name}", f="mjpeg", format_whitelist="mjpeg", protocol_whitelist="file", codec_whitelist="mjpeg",
        max_pixels=MAX_PIXELS,
    )  # fmt: skip


def output_path(name: str) -> str:
    """The name of an output file inside the sandbox."""
    return f"{OUTPUT}/{name}"


def compiled(outputs: list[Any], *, loglevel: str = "warning") -> list[str]:
    """One ffmpeg command for all `outputs`, reporting progress."""
    merged = ffmpeg.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    command: list[str] = merged.global_args(*_QUIET, *_PROGRESS, "-loglevel", loglevel).compile()
    return command


def _ffprobe(container: Container, *show: str) -> list[str]:
    options = _guards(container) | {
        f"codec_whitelist:{kind}": f"{_DECODERS},{names}" for kind, names in _NEVER_FED.items()
    }
    guards = [word for name, value in options.items() for word in (f"-{name}", str(value))]
    return ["ffprobe", "-hide_banner", "-loglevel", "error", *guards, *show, f"{INPUTS}/{source_name(container)}"]


def headers(container: Container) -> list[str]:
    """ffprobe: what the headers say of the file and its streams, as JSON."""
    return _ffprobe(container, "-show_streams", "-show_format", "-of", "json")


def packets(container: Container) -> list[str]:
    """ffprobe: one line of CSV for each packet (see `packets.read`)."""
    return _ffprobe(container, "-show_entries", f"packet={packet_listing.FIELDS}", "-of", "csv=print_section=0")


def speech_and_loudness(container: Container, stream: int, wav: str, *, duration_s: float) -> list[str]:
    """ffmpeg: one decode of the sound into 16 kHz mono PCM, with its EBU R128 summary on stderr.

    Silence is put before a late start, so that times in the PCM are times of the clip.
    """
    sound = (
        source(container)[str(stream)]
        .filter("aresample", **{"async": 1, "first_pts": 0})
        .filter("ebur128", framelog="verbose")
    )
    return compiled(
        [sound.output(output_path(wav), f="wav", acodec="pcm_s16le", ac=1, ar=16000, t=duration_s, **CLEAN)],
        loglevel="info",
    )


def remux(container: Container, video: int, audio: int | None, mp4: str, *, copy_audio: bool) -> list[str]:
    """ffmpeg: the picture as it is, in a faststart MP4 without tags and without the camera's SEI notes."""
    upload = source(container)
    streams = [upload[str(video)], *([upload[str(audio)]] if audio is not None else [])]
    picture = {"f": "mp4", "c:v": "copy", "bsf:v": WITHOUT_NOTES, "movflags": "+faststart"}
    sound = {"c:a": "copy"} if copy_audio else AAC
    return compiled([ffmpeg.output(*streams, output_path(mp4), **picture, **sound, **CLEAN)])
