"""How fast the pipeline is, beside the plain recipe: `python -m tests.bench.pipeline`.

Three-minute clips are made by repeating the samples (streams copied). Each goes through a whole Lorecast (embedded
platform, web process, one worker), then through the plain recipe in the same run: one ffmpeg for each rendition, one
for the poster, then the `whisper-ctranslate2` command with the same model, one after another.

CPU-seconds are those of the worker, its model process and every ffmpeg; memory is the peak of each single process.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from accounts.models import Role
from accounts.service import add_person, create_token
from cli.client import Display, Order, Server, wait_for
from cli.stack import Stack, running_stack
from infra import settings as configuration
from infra.database import Silence
from infra.settings import PlatformSettings, WebSettings
from workers.media.weights import resolve

SAMPLES = Path(__file__).parents[2] / "samples"
BUILD = Path(__file__).parents[2] / "build" / "bench"
CLIP_S = 180
FFMPEG = ("ffmpeg", "-nostdin", "-v", "error", "-y")


@dataclass(frozen=True)
class Clip:
    """What is measured; `copyable`: the picture needs no encode to play."""

    name: str
    sample: str
    copyable: bool


CLIPS = (
    Clip("copyable screen clip, 1080p MP4", "expense-report.mp4", copyable=True),
    Clip("browser screen clip, 720p WebM", "share-calendar.webm", copyable=False),
)


def three_minutes(clip: Clip) -> Path:
    """The sample repeated to three minutes, kept for the next run."""
    made = BUILD / f"three-minutes-{clip.sample}"
    if not made.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        source = str(SAMPLES / clip.sample)
        subprocess.run(
            [*FFMPEG, "-stream_loop", "20", "-i", source, "-t", str(CLIP_S), "-c", "copy", str(made)], check=True
        )
    return made


def measure() -> list[dict[str, Any]]:
    """Every clip through both, in one run."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="lorecast-bench-") as folder:
        data = Path(folder) / "data"
        platform = configuration.load(PlatformSettings, data=data)
        began = time.monotonic()
        with running_stack(platform, configuration.load(WebSettings, port=0), workers=1) as stack:
            rows.append({"figure": "start everything, first time", "wall_s": round(time.monotonic() - began, 1)})
            token = asyncio.run(_token(stack))
            _until_model_is_loaded(stack)
            for clip in CLIPS:
                rows += _said(asyncio.run(_through_lorecast(stack, token, clip)))
            rows += _said(_memory(stack))
        for clip in CLIPS:
            row = _plain_recipe(clip, Path(folder), resolve("bundled", data / "models"))
            ours = next(one for one in rows if one["figure"] == f"{clip.name}: everything")
            row["ours_over_plain_wall"] = round(ours["wall_s"] / row["wall_s"], 2)
            row["ours_over_plain_cpu"] = round(ours["cpu_s"] / row["cpu_s"], 2)
            rows += _said([row])
    return rows


def _said(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Print rows as soon as they are known: the plain recipe takes minutes."""
    for row in rows:
        print(row, file=sys.stderr, flush=True)
    return rows


async def _token(stack: Stack) -> str:
    async with stack.database.work(Silence()) as work:
        person = await add_person(work, email="bench@example.org", name="Bench", role=Role.EXPERT)
        token = await create_token(work, person=person, days=1, name="bench")
    await stack.database.close()
    return token


def _until_model_is_loaded(stack: Stack) -> None:
    """A worker in use has its model loaded; wait until the model process is idle."""
    quiet = 0
    while quiet < 5:
        before = _cpu_s(stack)
        time.sleep(1)
        quiet = quiet + 1 if _cpu_s(stack) - before < 0.1 else 0


async def _through_lorecast(stack: Stack, token: str, clip: Clip) -> list[dict[str, Any]]:
    file = three_minutes(clip)
    server = Server(stack.url, token)
    cpu_before_s = _cpu_s(stack)
    with Display(quiet=True) as display:
        recording_id = await server.upload(file, Order(title=clip.name), lambda _sent, _size: None)
        for stage in ("submit", "renditions"):
            recording = await wait_for(server, recording_id, stage, display)
    await server.close()
    cpu_s = _cpu_s(stack) - cpu_before_s
    times = {name: datetime.fromisoformat(at) for name, at in recording["timings"].items() if at}
    row = {"cpu_s": round(cpu_s, 1)}
    steps = (("playable", "playable_at"), ("in review", "in_review_at"), ("everything", "complete_at"))
    return [
        {
            "figure": f"{clip.name}: {label}",
            "wall_s": round((times[name] - times["uploaded_at"]).total_seconds(), 2),
            **(row if label == "everything" else {}),
        }
        for label, name in steps
    ]


def _processes(stack: Stack) -> Iterator[tuple[str, psutil.Process]]:
    for part in stack.parts:
        keeper = psutil.Process(part.process.pid)
        for process in keeper.children(recursive=True):
            yield part.name, process


def _cpu_s(stack: Stack) -> float:
    """CPU-seconds of the workers' processes and all that they have waited for."""
    total = 0.0
    for name, process in _processes(stack):
        if name.startswith("worker"):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _memory(stack: Stack) -> list[dict[str, Any]]:
    peaks: dict[str, float] = {}
    for name, process in _processes(stack):
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1024
        kind = (
            "web process" if name == "web" else "speech model" if "whisper" in " ".join(process.cmdline()) else "worker"
        )
        peaks[kind] = max(peaks.get(kind, 0.0), peak_mb)
    return [{"figure": f"memory: {kind}", "peak_mb": round(peak)} for kind, peak in peaks.items()]


def _plain_recipe(clip: Clip, folder: Path, model: Path) -> dict[str, Any]:
    source, out = three_minutes(clip), folder / "plain"
    out.mkdir(exist_ok=True)
    # Browsers write frames at any time; without this ffmpeg makes a thousand a second of them.
    x264 = [
        "-fps_mode",
        "vfr",
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "23",
        "-c:a",
        "aac",
        "-movflags",
        "+faststart",
    ]
    whisper = Path(sys.executable).with_name("whisper-ctranslate2")
    renditions = [
        [*FFMPEG, "-i", str(source), "-vf", f"scale=-2:{height}", *x264, str(out / f"{height}.mp4")]
        for height in (720, 540)
    ]
    commands: list[list[str]] = [
        *renditions,
        [*FFMPEG, "-ss", "18", "-i", str(source), "-frames:v", "1", str(out / "poster.jpg")],
        [
            str(whisper), str(source), "--model_directory", str(model), "--device", "cpu", "--compute_type", "int8",
            "--word_timestamps", "True", "--output_dir", str(out), "--output_format", "json", "--verbose", "False",
        ],
    ]  # fmt: skip
    with _measured() as spent:
        for command in commands:
            subprocess.run(command, check=True, capture_output=True)
    return {"figure": f"{clip.name}: plain recipe", **spent}


@contextmanager
def _measured() -> Iterator[dict[str, float]]:
    spent: dict[str, float] = {}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    yield spent
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent["wall_s"] = round(time.monotonic() - began, 2)
    spent["cpu_s"] = round(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, 1)


if __name__ == "__main__":
    for line in measure():
        print(line)
