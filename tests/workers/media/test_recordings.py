"""Whatever an honest phone, browser or screen recorder writes becomes a clip that plays."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from infra.errors import Rejected
from tests.fixtures.media import HONEST, MediaShelf
from tests.workers.media.clips import looked_at, processed, result
from workers.media.audio import extract_audio, gain_to_target
from workers.media.renditions import make_renditions
from workers.media.sandbox import Sandbox
from workers.media.screens import glimpse

# Like another one in all that matters here; run by make test-hard.
ALIKE = {
    "moov-at-end.mov", "odd-size.mp4", "upside-down.mp4", "personal.mkv", "late-audio.mkv", "variable-rate.mp4",
    "film.mp4", "uhd.mp4", "vp8.webm", "quiet.mp4", "loud.mp4", "late-cut-source.mp4", "upright.mp4", "plain.mp4",
    "cover.m4a", "voice.webm", "hdr-hlg.mov", "hd.mp4", "browser.mkv", "one-frame.webm", "late-start.mkv",
    "rotated.mp4",
}  # fmt: skip
NAMES = [pytest.param(name, marks=[pytest.mark.hard] if name in ALIKE else []) for name in HONEST]


@pytest.mark.parametrize("name", NAMES)
async def test_an_honest_recording_becomes_a_clip(
    name: str, shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path
) -> None:
    clip = await processed(sandbox, shelf.get(name), tmp_path)
    info, made = clip.info, clip.made

    assert (clip.playable is not None) == info.copyable == (not info.why_not)
    assert (clip.audio is not None) == (info.audio is not None) == (made.peaks is not None)
    assert made.videos == sorted(made.videos, key=lambda video: -video.height)
    for video in made.videos:
        got = await result(sandbox, video.path)
        assert got.video is not None
        assert (got.video.codec, got.video.pix_fmt, got.copyable) == ("h264", "yuv420p", True)
        assert (got.video.width, got.video.height) == (video.width, video.height)
        assert got.duration_s == pytest.approx(info.duration_s, abs=0.1)
        assert (got.audio is not None) == (info.audio is not None)
        if got.audio is not None:
            assert (got.audio.codec, got.audio.channels, got.audio.sample_rate) == ("aac", 2, 48000)
        if info.video is not None:
            assert video.width * video.height <= info.video.width * info.video.height
    if clip.playable is not None:
        assert (await result(sandbox, clip.playable)).duration_s == pytest.approx(info.duration_s, abs=0.1)
    for file in [clip.playable, *(video.path for video in made.videos)]:
        assert file is None or starts_at_once(file)
    assert made.poster is not None
    assert made.poster.read_bytes().startswith(b"\xff\xd8\xff")
    assert made.storyboard is not None
    assert made.storyboard_vtt is not None
    assert made.storyboard_vtt.read_text().startswith("WEBVTT\n\n00:00:00.000 --> ")


def starts_at_once(mp4: Path) -> bool:
    """The index comes before the data, so that a browser plays while it loads."""
    data = mp4.read_bytes()
    return 0 < data.find(b"moov") < data.find(b"mdat")


FACTS: dict[str, tuple[float, int, int, dict[str, Any]]] = {
    # name: (seconds, width, height, other facts)
    "browser.webm": (2.0, 320, 180, {"codec": "vp8"}),
    "browser.mp4": (2.0, 320, 180, {"codec": "h264"}),
    "rotated.mov": (2.0, 360, 640, {"rotation": 90}),
    "upside-down.mp4": (2.0, 640, 360, {"rotation": 180}),
    "portrait.mp4": (2.0, 360, 640, {"rotation": 0}),
    "anamorphic.mp4": (2.0, 427, 240, {}),
    "odd-size.webm": (2.0, 321, 181, {"codec": "vp9"}),
    "hdr-pq.mp4": (2.0, 320, 180, {"codec": "hevc", "is_hdr": True}),
    "hdr-hlg.mov": (2.0, 320, 180, {"codec": "hevc", "is_hdr": True}),
    "hevc.mov": (2.0, 320, 180, {"codec": "hevc", "is_hdr": False}),
    "edit-list.mp4": (1.8, 320, 180, {"trimmed": True}),
    "late-start.mkv": (2.0, 320, 180, {"frames": 60}),
    "slow-motion.mp4": (1.0, 320, 180, {"frames": 240}),
    "one-frame.mp4": (0.033, 320, 180, {"frames": 1}),
    "long-sound.mp4": (3.0, 320, 180, {"frames": 30}),
}


@pytest.mark.parametrize("name", FACTS)
async def test_what_a_recording_is_is_told_by_its_packets(name: str, shelf: MediaShelf, sandbox: Sandbox) -> None:
    seconds, width, height, facts = FACTS[name]
    info = await looked_at(sandbox, shelf.get(name))
    assert info.video is not None
    assert info.duration_s == pytest.approx(seconds, abs=0.05)
    assert (info.video.width, info.video.height) == (width, height)
    assert {fact: getattr(info.video, fact) for fact in facts} == facts


@pytest.mark.parametrize(("name", "codec"), [("prores.mov", "prores"), ("mjpeg.mov", "mjpeg")])
async def test_a_format_nobody_reads_is_named(name: str, codec: str, shelf: MediaShelf, sandbox: Sandbox) -> None:
    with pytest.raises(Rejected, match=f"stored as {codec}") as refused:
        await looked_at(sandbox, shelf.get(name))
    assert refused.value.code == "media.codec"


def pixels(picture: Path, width: int, height: int, at_s: float = 0) -> npt.NDArray[np.uint8]:
    """A picture of our own as an array (height, width, rgb); of a video what it shows at `at_s`."""
    matrix = "bt601" if picture.suffix == ".jpg" else "bt709"
    scaled = f"fps=60,trim=start={at_s},scale={width}:{height}:in_color_matrix={matrix}"
    raw = subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-i", str(picture), "-vf", scaled, "-frames:v", "1",
         "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True, capture_output=True, timeout=30,
    ).stdout  # fmt: skip
    return np.frombuffer(raw, np.uint8).reshape(height, width, 3)


@pytest.mark.parametrize(
    ("name", "red"), [("rotated.mov", "top"), ("rotated.mp4", "bottom"), ("upside-down.mp4", "right")]
)
async def test_rotation_is_baked_in_the_right_way_round(
    name: str, red: str, shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path
) -> None:
    clip = await processed(sandbox, shelf.get(name), tmp_path)
    picture = pixels(clip.made.videos[0].path, 40, 40).astype(int)
    redness = picture[:, :, 0] - picture[:, :, 2]
    halves = {"top": redness[:15], "bottom": redness[25:], "left": redness[:, :15], "right": redness[:, 25:]}
    assert halves[red].min() > 150


@pytest.mark.parametrize("name", ["hdr-pq.mp4", "hdr-hlg.mov"])
async def test_high_dynamic_range_is_neither_dark_nor_washed_out(
    name: str, shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path
) -> None:
    clip = await processed(sandbox, shelf.get(name), tmp_path)
    got = await result(sandbox, clip.made.videos[0].path)
    assert got.video is not None
    assert (got.video.transfer, got.video.matrix, got.video.is_hdr) == ("bt709", "bt709", False)
    picture = pixels(clip.made.videos[0].path, 64, 36).astype(int)
    assert 40 < picture.mean() < 215
    assert picture.std() > 25


async def test_colours_survive(shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path) -> None:
    clip = await processed(sandbox, shelf.get("upright.mp4"), tmp_path)
    assert clip.made.poster is not None
    for picture in (pixels(clip.made.videos[0].path, 40, 40), pixels(clip.made.poster, 40, 40)):
        assert np.abs(picture[20, 5].astype(int) - [254, 0, 0]).max() < 12
        assert np.abs(picture[20, 35].astype(int) - [0, 0, 254]).max() < 12


@pytest.mark.parametrize("name", ["quiet.mp4", "loud.mp4"])
async def test_every_clip_is_equally_loud(name: str, shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path) -> None:
    clip = await processed(sandbox, shelf.get(name), tmp_path)
    video = clip.made.videos[0].path
    heard = await extract_audio(sandbox, video, await result(sandbox, video), tmp_path)
    assert heard is not None
    assert heard.loudness_lufs == pytest.approx(-16, abs=1)
    assert gain_to_target(heard) is None


async def test_silence_stays_silent(shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path) -> None:
    audio = await extract_audio(
        sandbox, shelf.get("silence.mp4"), await looked_at(sandbox, shelf.get("silence.mp4")), tmp_path
    )
    assert audio is not None
    assert (audio.loudness_lufs, gain_to_target(audio)) == (None, None)


@pytest.mark.parametrize("name", ["late-audio.mp4", "late-audio.mkv"])
async def test_a_late_sound_stays_late(name: str, shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path) -> None:
    clip = await processed(sandbox, shelf.get(name), tmp_path)
    assert clip.audio is not None
    for video in [None, clip.playable, *(video.path for video in clip.made.videos)]:
        audio = clip.audio
        if video is not None:
            audio = await extract_audio(sandbox, video, await result(sandbox, video), tmp_path) or audio
        pcm = np.frombuffer(audio.pcm.read_bytes()[44:], "<i2").astype(float)
        assert np.abs(pcm[:14_400]).max() < 300
        assert np.abs(pcm[17_600:32_000]).max() > 1500


async def test_the_last_picture_stays_while_the_sound_goes_on(
    shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path
) -> None:
    clip = await processed(sandbox, shelf.get("long-sound.mp4"), tmp_path)
    got = await result(sandbox, clip.made.videos[0].path)
    assert got.video is not None
    assert got.video.end_s == pytest.approx(3.0, abs=0.05)


async def test_a_screen_that_stands_still_is_written_twice_a_second(
    shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path
) -> None:
    clip = await processed(sandbox, shelf.get("screen.mp4"), tmp_path)
    got = await result(sandbox, clip.made.videos[0].path)
    assert clip.info.video is not None
    assert got.video is not None
    assert clip.info.video.frames == 120
    assert 8 <= got.video.frames <= 14
    assert got.video.gop_s <= 2.5
    assert got.video.end_s == pytest.approx(4.0, abs=0.05)


def with_a_faint_mark(recording: Path, from_s: float) -> Path:
    """White, and from `from_s` on a square of 16 pixels that is a twentieth darker."""
    mark = f"drawbox=x=304:y=200:w=16:h=16:color=0xf2f2f2:t=fill:enable='gte(t,{from_s})'"
    source = f"color=c=white:s=640x360:r=30:d=2,{mark}"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-qp", "0", str(recording)],
        check=True,
    )
    return recording


async def test_a_faint_mark_is_there_as_soon_as_it_was_made(sandbox: Sandbox, tmp_path: Path) -> None:
    clip = await processed(sandbox, with_a_faint_mark(tmp_path / "mark.mp4", 1.1), tmp_path)
    before, after = (
        pixels(clip.made.videos[0].path, 640, 360, at_s=at_s)[202:214, 306:318].mean() for at_s in (1.05, 1.15)
    )
    assert before - after > 6


async def test_a_sound_alone_gets_a_picture(shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path) -> None:
    clip = await processed(sandbox, shelf.get("voice.m4a"), tmp_path)
    assert clip.info.video is None
    assert [(video.name, video.width) for video in clip.made.videos] == [("720p", 1280), ("540p", 960)]
    assert pixels(clip.made.videos[0].path, 64, 36).std() > 5


async def test_nothing_personal_is_in_any_output(shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path) -> None:
    for name in ("personal.mov", "personal.mkv"):
        recording, out = shelf.get(name), tmp_path / name
        out.mkdir()
        telling = [b"48.8577", b"Private"] + ([b"PhoneMaker", b"PhoneModel"] if name.endswith("mov") else [])
        assert all(word in recording.read_bytes() for word in telling)
        clip = await processed(sandbox, recording, out)
        assert clip.playable is not None
        for file in out.iterdir():
            assert not [word for word in telling if word in file.read_bytes()]


async def test_the_change_of_the_screen_is_seen(shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path) -> None:
    clip = await processed(sandbox, shelf.get("screen.mp4"), tmp_path)
    assert clip.made.scene_changes_s == [pytest.approx(2.0, abs=0.5)]


async def test_the_change_of_the_screen_is_glimpsed_at_key_frames_alone(
    shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path
) -> None:
    recording = shelf.get("screen.mp4")
    info = await looked_at(sandbox, recording)
    assert info.video is not None
    assert info.video.gop_s == pytest.approx(1.0)
    assert await glimpse(sandbox, recording, info, tmp_path) == [pytest.approx(2.0, abs=0.5)]
    assert list(tmp_path.iterdir()) == []
    for gop_s in (0.04, 60.0):
        useless = replace(info, video=replace(info.video, gop_s=gop_s))
        assert await glimpse(sandbox, recording, useless, tmp_path) == []
    recording = tmp_path / "broken.mp4"
    recording.write_bytes(b"nothing of it is left")
    assert await glimpse(sandbox, recording, info, tmp_path) == []


async def test_the_waveform_follows_the_sound(shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path) -> None:
    clip = await processed(sandbox, shelf.get("late-audio.mp4"), tmp_path)
    assert clip.made.peaks is not None
    peaks = json.loads(clip.made.peaks.read_text())
    assert (peaks["version"], peaks["channels"], peaks["bits"]) == (2, 1, 8)
    assert peaks["length"] * 2 == len(peaks["data"]) <= 3600
    seconds = peaks["length"] * peaks["samples_per_pixel"] / peaks["sample_rate"]
    assert seconds == pytest.approx(clip.info.duration_s, abs=0.1)
    heights = np.array(peaks["data"][1::2])
    assert heights[: len(heights) // 4].max() <= 1
    assert heights[len(heights) // 2 :].max() > 5


async def test_an_encode_tells_how_far_it_is(shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path) -> None:
    recording = shelf.get("hd.mp4")
    shares: list[float] = []
    info = await looked_at(sandbox, recording)
    await make_renditions(
        sandbox, recording, info, tmp_path, gain_db=None, threads=1, nice=0, on_progress=shares.append
    )
    assert shares == sorted(shares)
    assert shares[0] < 0.9
    assert shares[-1] == pytest.approx(1.0, abs=0.05)


async def test_progress_runs_from_nothing_to_all(shelf: MediaShelf, sandbox: Sandbox, tmp_path: Path) -> None:
    recording = shelf.get("screen.mp4")
    shares: list[float] = []
    await extract_audio(sandbox, recording, await looked_at(sandbox, recording), tmp_path, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=0.01)
