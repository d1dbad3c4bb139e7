"""The one command that decodes a recording once and makes everything from it. Pure.

picture ─ at most 30 a second, each once, scale, tone map ─┬─ top rendition
                                                           ├─ smaller renditions
                                                           ├─ poster
                                                           └─ tiles: screen changes, storyboard
sound ─ on the clip's timeline ─┬─ gain, limiter ─ encoded once for all renditions
                                └─ 8 kHz mono for the waveform

A screen stands still most of the time. Frames that repeat the one before are dropped right after decoding, so that
nothing is scaled or encoded twice: the renditions have a variable rate (docs/decisions/0007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ffmpeg as ffmpeg_python

from workers.media import ffmpeg
from workers.media.ladder import GOP_S, Plan, Rung
from workers.media.probe import MediaInfo, VideoStream
from workers.media.screens import CHANGE_SCORE, CHANGES

CANDIDATES = "candidates.mjpeg"
TILES = "tiles.mjpeg"
POSTER = "poster.jpg"
STORYBOARD = "storyboard.jpg"
WAVEFORM = "waveform.pcm"
WAVEFORM_RATE = 8000

_PEAK_CEILING = 0.841  # -1.5 dBFS
_PROBE_FPS = 2
_SHOWN_AGAIN_S = 0.5
"""A picture that stands still is written again this often: key frames stay near their two seconds."""
_SAME = {"hi": 3 * 64, "lo": 64, "frac": 0.02}
"""What mpdecimate takes for a repetition: no block of 8 x 8 differs by more than 3 of 255 on average, and at most one
in fifty by more than 1."""
_JPEG_COLOURS = {"out_color_matrix": "bt601", "out_range": "full"}  # JFIF knows no other

Stream = Any  # ffmpeg-python publishes no types


def file_name(rung_name: str) -> str:
    """The file of a rendition."""
    return f"{rung_name}.mp4"


def everything(info: MediaInfo, plan: Plan, *, gain_db: float | None, threads: int) -> list[str]:
    """ffmpeg's arguments for all renditions and pictures of `info` as planned."""
    upload = ffmpeg.source(info.container, threads=threads)
    sounds = _sounds(upload, info, gain_db)
    pictures = _pictures(upload, info, plan, sounds.drawn)
    outputs = [
        _renditions(upload, pictures.rungs, sounds.loud, info, plan, threads),
        _pictures_in(pictures.candidates, CANDIDATES),
        _pictures_in(pictures.tiles, TILES),
    ]
    outputs += [_waveform(sound, info) for sound in sounds.waveform]
    return ffmpeg.compiled(outputs)


def stills(plan: Plan) -> list[str]:
    """ffmpeg's arguments for the poster (the candidate nearest to the average: never a blank one among full
    ones) and the storyboard, out of the pictures that `everything` left."""
    sheet = plan.sheet
    poster = ffmpeg.own_pictures(CANDIDATES).filter("thumbnail", 12)
    storyboard = ffmpeg.own_pictures(TILES).filter("tile", f"{sheet.columns}x{sheet.rows}")
    return ffmpeg.compiled([
        picture.output(
            ffmpeg.output_path(name), f="mjpeg", vcodec="mjpeg", vframes=1, **{"q:v": quality}, **ffmpeg.CLEAN
        )
        for picture, name, quality in ((poster, POSTER, 3), (storyboard, STORYBOARD, 5))
    ])  # fmt: skip


@dataclass(frozen=True)
class _Pictures:
    rungs: list[Stream]
    candidates: Stream
    tiles: Stream


@dataclass(frozen=True)
class _Sounds:
    """Each is one stream, or none when there is no sound or no use for it."""

    loud: list[Stream]
    waveform: list[Stream]
    drawn: list[Stream]


def _pictures(upload: Stream, info: MediaInfo, plan: Plan, drawn: list[Stream]) -> _Pictures:
    picture = _prepared(upload, info, info.video, plan) if info.video else _wave(drawn[0], plan)
    branches = picture.filter_multi_output("split", len(plan.rungs) + 2)
    rungs = [branches[0]] + [
        branches[number].filter("scale", rung.width, rung.height, flags="bicubic")
        for number, rung in enumerate(plan.rungs[1:], start=1)
    ]
    candidates = (
        branches[len(plan.rungs)]
        .filter("select", _one_each(plan.poster_step_s))
        .filter("scale", in_color_matrix="bt709", **_JPEG_COLOURS)
        .filter("format", "yuvj420p")
    )
    return _Pictures(rungs, candidates, _tiles(branches[len(plan.rungs) + 1], plan))


def _tiles(picture: Stream, plan: Plan) -> Stream:
    """Small pictures twice a second: screen changes are noted on all, the storyboard takes some."""
    sheet = plan.sheet
    return (
        picture.filter("select", _one_each(1 / _PROBE_FPS))
        .filter("scale", sheet.tile_width, sheet.tile_height, flags="area", in_color_matrix="bt709", **_JPEG_COLOURS)
        .filter("format", "yuvj420p")
        .filter("scdet", threshold=CHANGE_SCORE)
        .filter("metadata", mode="print", key="lavfi.scd.time", file=ffmpeg.output_path(CHANGES))
        .filter("select", _one_each(sheet.step_s))
    )


def _one_each(step_s: float) -> str:
    """The first frame in every `step_s`: exact, without drift."""
    return f"isnan(prev_selected_t)+gt(floor(t/{step_s:.6f}+1e-3),floor(prev_selected_t/{step_s:.6f}+1e-3))"


def _wave(sound: Stream, plan: Plan) -> Stream:
    """A picture for a sound alone: its wave."""
    size = f"{plan.rungs[0].width}x{plan.rungs[0].height}"
    return (
        sound.filter("aformat", channel_layouts="mono")
        .filter("showwaves", s=size, mode="cline", rate=float(plan.fps), colors="0x94a3b8")
        .filter("format", "yuv420p")
        .filter("fps", fps=float(plan.fps), start_time=0)
    )


def _prepared(upload: Stream, info: MediaInfo, video: VideoStream, plan: Plan) -> Stream:
    """Right way up, right colours, square pixels, each picture once, from second 0 to the end of the clip."""
    top = plan.rungs[0]
    picture = upload[str(video.index)].filter("fps", fps=f"{plan.fps.numerator}/{plan.fps.denominator}", start_time=0)
    if video.is_hdr:  # mpdecimate knows 8 bits only
        picture = _once(_tone_mapped(picture, video, top), plan)
    else:
        picture = _scaled(_once(picture, plan), video, top)
    # One frame at the very end: before it, the last ones may have been dropped as repetitions.
    missing_s = max(0.0, info.duration_s - video.end_s) + _frame_s(plan)
    return picture.filter("setsar", 1).filter("tpad", stop_mode="clone", stop_duration=f"{missing_s:.3f}")


def _frame_s(plan: Plan) -> float:
    return float(1 / plan.fps)


def _once(picture: Stream, plan: Plan) -> Stream:
    """Without frames that repeat the last one kept. The filter `scale` does nothing to a picture that keeps its size,
    and holds the size where it changes midway: mpdecimate would read past the end of the smaller one."""
    most = max(1, int(_SHOWN_AGAIN_S * plan.fps) - 1)
    return picture.filter("scale", "iw", "ih").filter("mpdecimate", max=most, **_SAME)


def _scaled(picture: Stream, video: VideoStream, rung: Rung) -> Stream:
    """To BT.709, limited range, 8 bit, whatever it was; unmarked pictures are BT.709 when large."""
    matrices = {"bt709": "bt709", "smpte170m": "smpte170m", "bt470bg": "bt470bg", "bt2020nc": "bt2020"}
    unmarked = "bt709" if min(video.width, video.height) >= 720 else "smpte170m"
    return picture.filter(
        "scale", rung.width, rung.height, flags="bicubic",
        in_color_matrix=matrices.get(video.matrix, unmarked), out_color_matrix="bt709", out_range="tv",
    ).filter("format", "yuv420p")  # fmt: skip


def _tone_mapped(picture: Stream, video: VideoStream, rung: Rung) -> Stream:
    """HLG and PQ to BT.709 (ffmpeg's own recipe: linear light, gamut, hable), scaled down first."""
    return (
        picture.filter(
            "zscale", w=rung.width, h=rung.height, tin=video.transfer, min="2020_ncl", pin="2020",
            t="linear", npl=100,
        )
        .filter("format", "gbrpf32le")
        .filter("zscale", p="709")
        .filter("tonemap", tonemap="hable", desat=0)
        .filter("zscale", t="709", m="709", r="tv")
        .filter("format", "yuv420p")
    )  # fmt: skip


def _sounds(upload: Stream, info: MediaInfo, gain_db: float | None) -> _Sounds:
    if info.audio is None:
        return _Sounds([], [], [])
    sound = upload[str(info.audio.index)].filter("aresample", **{"async": 1, "first_pts": 0})
    number = 2 + (info.video is None)
    split = sound.filter_multi_output("asplit", number)
    loud, waveform, *drawn = [split[branch] for branch in range(number)]
    loud = loud.filter("aformat", sample_rates=48000, channel_layouts="stereo")
    if gain_db is not None:
        loud = loud.filter("volume", f"{gain_db:.2f}dB").filter("alimiter", limit=_PEAK_CEILING, level="disabled")
    return _Sounds([loud], [waveform], drawn)


def _renditions(
    upload: Stream, pictures: list[Stream], sound: list[Stream], info: MediaInfo, plan: Plan, threads: int
) -> Stream:
    """All renditions as one output, whose muxer hands each its own picture and the one encoded sound."""
    names = [rung.name for rung in plan.rungs]
    each = [_x264(rung, plan, threads) for rung in plan.rungs]
    if plan.kept is not None and info.video is not None:
        names.append(plan.kept)
        pictures = [*pictures, upload[str(info.video.index)]]
        each.append({"c": "copy", "bsf": ffmpeg.WITHOUT_NOTES})
    options = {f"{name}:v:{number}": value for number, one in enumerate(each) for name, value in one.items()}
    files = [
        f"[f=mp4:movflags=+faststart:select=\\'v:{number},a\\']{ffmpeg.output_path(file_name(name))}"
        for number, name in enumerate(names)
    ]
    options |= {**ffmpeg.CLEAN, "flags:v": "+bitexact+global_header", "flags:a": "+bitexact+global_header"}
    options |= ffmpeg.AAC if sound else {}
    return ffmpeg_python.output(
        *pictures, *sound, "|".join(files), f="tee", fps_mode="vfr", t=info.duration_s + _frame_s(plan), **options
    )


def _x264(rung: Rung, plan: Plan, threads: int) -> dict[str, Any]:
    """One encode: frames come when they change, key frames at the same times in all renditions."""
    return {
        "c": "libx264", "preset": "veryfast", "profile": "high", "threads": threads,
        "crf": rung.crf, "maxrate": f"{rung.maxrate_kbit}k", "bufsize": f"{2 * rung.maxrate_kbit}k",
        "g": round(GOP_S * plan.fps), "sc_threshold": 0, "forced_idr": 1,
        "force_key_frames": f"expr:gte(t,n_forced*{GOP_S})",
        "colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv",
    }  # fmt: skip


def _pictures_in(pictures: Stream, name: str) -> Stream:
    """One JPEG behind the other. What comes at the end only (a sheet, the best picture) must not be an output of
    this command: ffmpeg 5.1 reports no progress before every output has begun."""
    return pictures.output(
        ffmpeg.output_path(name), f="mjpeg", vcodec="mjpeg", fps_mode="passthrough", **{"q:v": 2}, **ffmpeg.CLEAN
    )


def _waveform(sound: Stream, info: MediaInfo) -> Stream:
    return sound.output(
        ffmpeg.output_path(WAVEFORM), f="s16le", acodec="pcm_s16le", ac=1, ar=WAVEFORM_RATE, t=info.duration_s,
        **ffmpeg.CLEAN,
    )  # fmt: skip
