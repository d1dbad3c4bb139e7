"""The sound of a recording: PCM for speech recognition and its loudness, from one decode."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workers.media import ffmpeg, ladder
from workers.media.probe import MediaInfo
from workers.media.sandbox import Sandbox

TARGET_LUFS = -16.0
_NEAR_LU = 1.0
_MOST_GAIN_DB = 30.0
_SILENCE_LUFS = -60.0
_NAME = "speech.wav"
_BYTES_PER_S = 2 * 16000
_HEADER_BYTES = 44


@dataclass(frozen=True)
class Audio:
    """16 kHz mono 16-bit PCM on the clip's timeline, and what EBU R128 says of the original sound."""

    pcm: Path
    duration_s: float
    loudness_lufs: float | None
    """Integrated loudness; None when nothing passes the gate: silence."""


async def extract_audio(
    sandbox: Sandbox, source: Path, info: MediaInfo, out: Path, on_progress: Callable[[float], None] | None = None
) -> Audio | None:
    """Write `out/speech.wav` and measure it; None when the recording has no sound.

    `on_progress` hears the share done, 0 to 1. Raises Rejected or Transient as `Sandbox.run` does.
    """
    if info.audio is None:
        return None
    finished = await sandbox.run(
        ffmpeg.speech_and_loudness(info.container, info.audio.index, _NAME, duration_s=info.duration_s),
        inputs={ffmpeg.source_name(info.container): source},
        output=out,
        limits=ladder.copy_limits(info),
        on_progress=share_of(info.duration_s, on_progress),
    )
    pcm = out / _NAME
    duration_s = max(0, pcm.stat().st_size - _HEADER_BYTES) / _BYTES_PER_S
    return Audio(pcm, duration_s, _loudness_lufs(finished.stderr_tail))


def gain_to_target(audio: Audio | None) -> float | None:
    """The gain in dB that brings the sound to -16 LUFS; None when there is no sound, only silence, or when it
    is within 1 LU already. A plain gain after measuring equals two-pass loudnorm in its linear mode."""
    if audio is None or audio.loudness_lufs is None:
        return None
    gain_db = TARGET_LUFS - audio.loudness_lufs
    return None if abs(gain_db) <= _NEAR_LU else min(gain_db, _MOST_GAIN_DB)


def share_of(duration_s: float, on_progress: Callable[[float], None] | None) -> Callable[[float], None] | None:
    """Turn seconds of the clip into a share between 0 and 1."""
    if on_progress is None:
        return None
    return lambda done_s: on_progress(min(1.0, done_s / duration_s) if duration_s > 0 else 1.0)


def _loudness_lufs(said: str) -> float | None:
    """Integrated loudness out of the summary of ffmpeg's ebur128; None for silence."""
    summary = said.rpartition("Summary:")[2]  # an earlier one comes from setting up the filter
    loudness = re.search(r"^\s+I:\s+(-?[\d.]+) LUFS", summary, re.MULTILINE)
    lufs = float(loudness[1]) if loudness else _SILENCE_LUFS
    return lufs if lufs > _SILENCE_LUFS else None
