"""How fast the pipeline is, beside the plain recipe: `python -m tests.bench --only pipeline`.

Three-minute clips are made by repeating the samples (streams copied). Each goes through a whole Lorecast (embedded
platform, web process, one worker), then through the plain recipe in the same run: one ffmpeg for each rendition at
the heights every clip gets, one for the poster, then the `whisper-ctranslate2` command with the same model, one after
another. Its own default is a beam of five; so that nothing is won by a smaller one, a second ratio counts the command
with Lorecast's beam.

CPU-seconds of a clip are those of the worker, its model process and every ffmpeg; of the platform and the web process
the profile tells. Memory is the peak of each single process.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil

from accounts.models import Role
from accounts.service import add_person, create_token
from cli.client import Display, Order, Server, wait_for
from cli.stack import Stack, running_stack
from infra import ledger
from infra import settings as configuration
from infra.database import Silence
from infra.settings import PlatformSettings, SpeechSettings, WebSettings
from workers.media.weights import resolve

SAMPLES = Path(__file__).parents[2] / "samples"
BUILD = Path(__file__).parents[2] / "build" / "bench"
CLIP_S = 180
FFMPEG = ("ffmpeg", "-nostdin", "-v", "error", "-y")
Row = dict[str, Any]


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


def measure() -> list[Row]:
    """Every clip through both, in one run."""
    rows: list[Row] = []
    os.environ["LORECAST_LOG_LEVEL"] = "debug"  # the worker then notes what each run of ffmpeg costs
    with tempfile.TemporaryDirectory(prefix="lorecast-bench-") as folder:
        data = Path(folder) / "data"
        platform = configuration.load(PlatformSettings, data=data)
        began = time.monotonic()
        with running_stack(platform, configuration.load(WebSettings, port=0), workers=1) as stack:
            rows += _said([{"figure": "start everything, first time", "wall_s": round(time.monotonic() - began, 1)}])
            token = asyncio.run(_token(stack))
            _until_model_is_loaded(stack)
            for clip in CLIPS:
                rows += _said(asyncio.run(_through_lorecast(stack, token, clip)))
            rows += _said(_memory(stack))
        for clip in CLIPS:
            ours = next(one for one in rows if one["figure"] == f"{clip.name}: everything")
            rows += _said(_plain_recipe(clip, Path(folder), resolve("bundled", data / "models"), ours))
    return rows


def _said(rows: list[Row]) -> list[Row]:
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
        before = _clip_cpu_s(stack)
        time.sleep(1)
        quiet = quiet + 1 if _clip_cpu_s(stack) - before < 0.1 else 0


async def _through_lorecast(stack: Stack, token: str, clip: Clip) -> list[Row]:
    file = three_minutes(clip)
    server = Server(stack.url, token)
    cpu_before_s, before = _clip_cpu_s(stack), _cpu_by_process(stack)
    with Display(quiet=True) as display:
        recording_id = await server.upload(file, Order(title=clip.name), lambda _sent, _size: None)
        for stage in ("submit", "renditions"):
            recording = await wait_for(server, recording_id, stage, display)
        for number in range(50):  # the web process's memory is that of one in use
            await server.ask("GET", "/api/v1/search", params={"q": f"how do I attach receipt {number}", "limit": 5})
    await server.close()
    cpu_s = _clip_cpu_s(stack) - cpu_before_s
    profile = await _profile(stack, clip, UUID(str(recording_id)), _cpu_by_process(stack) - before)
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
    ] + profile


async def _profile(stack: Stack, clip: Clip, recording_id: UUID, cpu_s: Counter[str]) -> list[Row]:
    """Where the time went: each stage, each run of a media tool, each process that stays."""
    async with stack.database.work(Silence()) as work:
        runs = await ledger.runs_of(work, [recording_id])
    await stack.database.close()
    rows: list[Row] = []
    for run in runs:
        assert run.started_at is not None
        assert run.finished_at is not None
        waited_s, took_s = run.started_at - run.created_at, run.finished_at - run.started_at
        times = {"wall_s": round(took_s.total_seconds(), 2), "waited_s": round(waited_s.total_seconds(), 2)}
        rows.append({"figure": f"{clip.name}: stage {run.stage}", **times})
    for line in (stack.logs / "worker-1.log").read_text().splitlines():
        noted = json.loads(line) if line.startswith("{") else {}
        if noted.get("event") == "media.ran" and noted.get("recording") == str(recording_id):
            made = ", ".join(noted["made"]) or "nothing"
            costs = {name: noted[name] for name in ("wall_s", "cpu_s")}
            rows.append({"figure": f"{clip.name}: {noted['tool']} makes {made}", **costs})
    rows += [{"figure": f"{clip.name}: {name}", "cpu_s": round(used, 2)} for name, used in cpu_s.most_common()]
    return rows


def _processes(stack: Stack) -> Iterator[tuple[str, psutil.Process]]:
    """Every process that stays, with what it is; ffmpeg comes and goes, and is told of by the worker's log."""
    keepers = {part.process.pid: part.name for part in stack.parts}
    for process in psutil.Process().children(recursive=True):
        try:
            name, command, parent = process.name(), " ".join(process.cmdline()), process.ppid()
        except psutil.NoSuchProcess:
            continue
        if "whisper_process" in command:
            yield "speech model", process
        elif parent in keepers:
            yield "web process" if keepers[parent] == "web" else "worker", process
        elif name in {"postgres", "weed"} or "valkey" in name:
            yield name, process


def _clip_cpu_s(stack: Stack) -> float:
    """CPU-seconds of the worker and its model process, and of all that they have waited for."""
    total = 0.0
    for name, process in _processes(stack):
        if name in {"worker", "speech model"}:
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _cpu_by_process(stack: Stack) -> Counter[str]:
    """CPU-seconds of what stays, without children that have ended."""
    used: Counter[str] = Counter()
    for name, process in _processes(stack):
        times = process.cpu_times()
        used[name] += times.user + times.system  # type: ignore[assignment]
    return used


def _memory(stack: Stack) -> list[Row]:
    peaks: dict[str, float] = {}
    for name, process in _processes(stack):
        status = Path(f"/proc/{process.pid}/status").read_text()
        peaks[name] = max(peaks.get(name, 0.0), int(status.split("VmHWM:")[1].split()[0]) / 1024)
    return [{"figure": f"memory: {name}", "peak_mb": round(peak)} for name, peak in peaks.items()]


def _plain_recipe(clip: Clip, folder: Path, model: Path, ours: Row) -> list[Row]:
    """The same clip the plain way, and what Lorecast takes of its time."""
    source, out = three_minutes(clip), folder / "plain"
    out.mkdir(exist_ok=True)
    x264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-c:a", "aac", "-movflags", "+faststart"]
    # Browsers write frames at any time; without this ffmpeg makes a thousand a second of them.
    renditions = [
        [*FFMPEG, "-i", str(source), "-vf", f"scale=-2:{height}", "-fps_mode", "vfr", *x264, str(out / f"{height}.mp4")]
        for height in (720, 540)
    ]
    poster = [*FFMPEG, "-ss", "18", "-i", str(source), "-frames:v", "1", str(out / "poster.jpg")]
    speech = [
        str(Path(sys.executable).with_name("whisper-ctranslate2")), str(source), "--model_directory", str(model),
        "--device", "cpu", "--compute_type", "int8", "--word_timestamps", "True", "--output_dir", str(out),
        "--output_format", "json", "--verbose", "False",
    ]  # fmt: skip
    beam = str(configuration.load(SpeechSettings).whisper_beam)
    media, default, like_ours = _spent(*renditions, poster), _spent(speech), _spent([*speech, "--beam_size", beam])
    rows: list[Row] = []
    for name, heard in (("its own beam", default), (f"a beam of {beam}", like_ours)):
        spent = {unit: round(media[unit] + heard[unit], 2) for unit in ("wall_s", "cpu_s")}
        ratios = {f"ours_over_plain_{unit[:-2]}": round(ours[unit] / spent[unit], 2) for unit in spent}
        rows.append({"figure": f"{clip.name}: plain recipe, {name}", **spent, **ratios})
    return [{"figure": f"{clip.name}: plain recipe without speech", **media}, *rows]


def _spent(*commands: list[str]) -> dict[str, float]:
    """Wall and CPU seconds of these commands, one after another."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {"wall_s": round(time.monotonic() - began, 2), "cpu_s": round(cpu_s, 1)}
