"""What the media stages decide before anything runs: pure functions on plain records."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction
from pathlib import Path

import pytest

from capture.container import Container
from workers.media import ffmpeg, graph, ladder, packets
from workers.media.audio import Audio, gain_to_target
from workers.media.ladder import Sheet
from workers.media.probe import AudioStream, MediaInfo, VideoStream
from workers.media.renditions import storyboard_cues
from workers.media.screens import screen_changes

SOUND = AudioStream(index=1, codec="aac", profile="LC", channels=2, sample_rate=48000, start_s=0.0)


def screen(width: int = 1920, height: int = 1080, **facts: object) -> MediaInfo:
    """A three-minute screen recording, with what differs."""
    video = VideoStream(
        index=0, width=width, height=height, codec="h264", profile="High", level=42, pix_fmt="yuv420p", fps=30.0,
        rate=Fraction(30), rotation=0, is_hdr=False, transfer="", matrix="", primaries="", color_range="",
        bit_rate=1_500_000, frames=5400, start_s=0.0, end_s=180.0, gop_s=2.0, trimmed=False,
    )  # fmt: skip
    video = dataclasses.replace(video, **facts)  # type: ignore[arg-type]
    return MediaInfo(Container.MP4, 180.0, video, SOUND, 34_000_000, copyable=True, why_not="")


def rungs(info: MediaInfo) -> list[tuple[str, int, int]]:
    return [(rung.name, rung.width, rung.height) for rung in ladder.plan(info).rungs]


def encoded(info: MediaInfo) -> MediaInfo:
    return dataclasses.replace(info, copyable=False, why_not="tested")


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (3840, 2160, [("720p", 1280, 720), ("540p", 960, 540)]),
        (1920, 1080, [("720p", 1280, 720), ("540p", 960, 540)]),
        (1080, 1920, [("720p", 720, 1280), ("540p", 540, 960)]),
        (1280, 720, [("720p", 1280, 720), ("540p", 960, 540)]),
        (1000, 600, [("600p", 1000, 600), ("540p", 900, 540)]),
        (960, 540, [("540p", 960, 540)]),
        (641, 361, [("361p", 640, 360)]),
        (5120, 1440, [("720p", 2560, 720), ("540p", 1920, 540)]),
        (1, 1, [("1p", 2, 2)]),
    ],
)
def test_nothing_is_made_larger_and_every_side_is_even(
    width: int, height: int, expected: list[tuple[str, int, int]]
) -> None:
    assert rungs(encoded(screen(width, height))) == expected


def test_a_light_recording_keeps_its_own_picture_and_gets_one_small_rendition() -> None:
    plan = ladder.plan(screen())
    assert (plan.kept, [rung.name for rung in plan.rungs]) == ("1080p", ["540p"])


@pytest.mark.parametrize(
    "fact",
    [{"bit_rate": 12_000_000}, {"gop_s": 8.0}, {"fps": 120.0}, {"start_s": 1.0}, {"width": 960, "height": 540}],
    ids=["heavy", "slow to seek", "fast", "late", "small"],
)
def test_what_is_heavy_or_slow_to_seek_is_encoded_again(fact: dict[str, float]) -> None:
    assert ladder.plan(dataclasses.replace(screen(), video=dataclasses.replace(screen().video, **fact))).kept is None  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("rate", "fps", "expected"),
    [
        (Fraction(30), 30.0, Fraction(30)),
        (Fraction(30000, 1001), 29.97, Fraction(30000, 1001)),
        (Fraction(25), 25.0, Fraction(25)),
        (Fraction(24), 24.0, Fraction(24)),
        (Fraction(60), 60.0, Fraction(30)),
        (Fraction(50), 50.0, Fraction(25)),
        (Fraction(1000), 14.2, Fraction(30)),
        (Fraction(90000), 29.1, Fraction(30)),
        (Fraction(240), 240.0, Fraction(30)),
        (Fraction(5), 5.0, Fraction(30)),
    ],
)
def test_the_rate_is_at_most_thirty(rate: Fraction, fps: float, expected: Fraction) -> None:
    assert ladder.output_fps(screen(rate=rate, fps=fps).video) == expected


def test_the_storyboard_has_a_tile_for_every_moment_and_at_most_a_hundred() -> None:
    for duration_s in (0.03, 1.0, 59.9, 180.0, 1799.0, 3600.0):
        info = dataclasses.replace(screen(), duration_s=duration_s)
        sheet = ladder.plan(info).sheet
        tiles = sheet.columns * sheet.rows
        assert tiles <= 100
        assert tiles * sheet.step_s >= duration_s
        assert max(sheet.tile_width, sheet.tile_height) <= 160


def test_storyboard_cues_name_each_tile_once() -> None:
    cues = storyboard_cues(Sheet(2.0, 2, 2, 160, 90), 5.5, "storyboard.jpg")
    assert cues == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:02.000\nstoryboard.jpg#xywh=0,0,160,90\n\n"
        "00:00:02.000 --> 00:00:04.000\nstoryboard.jpg#xywh=160,0,160,90\n\n"
        "00:00:04.000 --> 00:00:05.500\nstoryboard.jpg#xywh=0,90,160,90\n"
    )


def test_an_animation_is_one_change_and_a_moving_camera_is_none() -> None:
    assert screen_changes([10.5, 0.5, 10.0, 40.0, 10.9, 11.4], 60.0) == [10.0, 11.4, 40.0]
    assert screen_changes([second * 1.5 for second in range(40)], 60.0) == []


@pytest.mark.parametrize(
    ("loudness", "gain"), [(-23.0, 7.0), (-16.5, None), (-15.1, None), (-9.0, -7.0), (-55.0, 30.0), (None, None)]
)
def test_the_gain_leads_to_minus_sixteen_lufs(loudness: float | None, gain: float | None) -> None:
    assert gain_to_target(Audio(Path("x.wav"), 1.0, loudness)) == gain


def test_without_sound_there_is_no_gain() -> None:
    assert gain_to_target(None) is None


def test_packets_give_length_frames_and_key_frames() -> None:
    listing = b"""0,0.0,0.0,0.5,100,K_
0,1.0,0.5,0.5,50,__
1,0.25,0.25,0.02,10,K_

0,0.5,1.0,0.5,50,__
0,1.5,1.5,0.5,90,K_
nonsense
0,N/A,2.0,N/A,7,__
"""
    tracks = packets.read(listing)
    assert tracks[0] == packets.Track(start_s=0.0, end_s=2.0, frames=5, size_bytes=297, gop_s=1.5, trimmed=False)
    assert tracks[1].start_s == 0.25


def test_hidden_packets_count_for_bytes_only() -> None:
    tracks = packets.read(b"0,-0.5,-0.5,0.5,100,KD\n0,0.0,0.0,0.5,100,__\n1,0.0,0.0,0.02,5,KD\n")
    assert tracks == {0: packets.Track(0.0, 0.5, 1, 200, 0.0, trimmed=True)}


ARGUMENTS = {
    "headers": ffmpeg.headers(Container.MATROSKA),
    "packets": ffmpeg.packets(Container.MP4),
    "sound": ffmpeg.speech_and_loudness(Container.MP4, 1, "a.wav", duration_s=9.0),
    "copy": ffmpeg.remux(Container.MP4, 0, 1, "p.mp4", copy_audio=True),
    "everything": graph.everything(screen(), ladder.plan(screen()), gain_db=3.0, threads=2),
    "encode": graph.everything(encoded(screen()), ladder.plan(encoded(screen())), gain_db=None, threads=1),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_call_pins_what_is_opened_and_how_much(name: str) -> None:
    argv = ARGUMENTS[name]
    before = argv[: argv.index("-i")] if "-i" in argv else argv[:-1]
    options = dict(itertools.pairwise(before))
    assert options["-f"] == options["-format_whitelist"]
    assert options["-f"] in {"mov", "matroska"}
    assert options["-protocol_whitelist"] == "file"
    assert options["-max_pixels"] == str(4096 * 4096)
    assert {"-codec_whitelist", "-max_streams", "-probesize", "-analyzeduration"} <= set(before)
    assert not {"magicyuv", "hls", "concat"} & set(options["-codec_whitelist"].split(","))


@pytest.mark.parametrize("name", ["sound", "copy", "everything", "encode"])
def test_every_output_names_its_streams_and_drops_what_tells_of_people(name: str) -> None:
    argv = ARGUMENTS[name]
    outputs = [word for word in argv if word.startswith(("out/", "[f=mp4"))]
    assert outputs
    for option in ("-map_metadata", "-map_chapters", "-sn", "-dn"):
        assert argv.count(option) == len(outputs)
    assert argv.count("-map") >= len(outputs)
    assert "-nostdin" in argv
    assert "-progress" in argv
