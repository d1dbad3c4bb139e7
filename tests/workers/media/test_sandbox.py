"""What runs in the sandbox sees one file, writes one folder, reaches nobody, and ends within its limits."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.errors import Misconfigured, Rejected, Transient
from tests.fixtures.disk import Disk
from tests.fixtures.hostile import Canary
from workers.media import confinement, sandbox_proof
from workers.media.sandbox import Limits, Sandbox, SandboxMode

ROOM = Limits(wall_s=20, no_progress_s=None, memory_bytes=256 << 20, cpu_s=20, output_bytes=8 << 20)
FOREVER = ("ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "anullsrc", "-f", "null", "-")
PROGRESS = ("-progress", "pipe:1", "-stats_period", "0.1")

_OTHERS: set[int] = set()

both = pytest.mark.parametrize("mode", list(SandboxMode))


@pytest.fixture(autouse=True)
def others() -> set[int]:
    """The processes that this test run had before: the platform's servers, a browser."""
    _OTHERS.clear()
    _OTHERS.update(child.pid for child in psutil.Process().children(recursive=True))
    return _OTHERS


def descendants() -> list[psutil.Process]:
    """What has been started since and is still there."""
    return [child for child in psutil.Process().children(recursive=True) if child.pid not in _OTHERS]


@both
async def test_the_sandbox_proves_itself(mode: SandboxMode) -> None:
    await Sandbox(mode).prove()


@both
async def test_an_input_is_read_and_an_output_written(mode: SandboxMode, tmp_path: Path) -> None:
    source, out = tmp_path / "any name", tmp_path / "out"
    source.write_text("content")
    out.mkdir()
    finished = await Sandbox(mode).run(
        ["cp", "-v", "in/source", "out/copy"], inputs={"source": source}, output=out, limits=ROOM
    )
    assert (out / "copy").read_text() == "content"
    assert b"out/copy" in finished.stdout
    assert finished.peak_memory_bytes > 1 << 20
    assert set(tmp_path.iterdir()) == {source, out}


@both
async def test_what_it_used_is_measured(mode: SandboxMode) -> None:
    busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
    finished = await Sandbox(mode).run(["sh", "-c", busy], inputs={}, output=None, limits=ROOM)
    assert 0.05 < finished.cpu_s < 10
    decoding = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "color=s=4000x4000", "-frames:v", "1"]
    finished = await Sandbox(mode).run([*decoding, "-f", "null", "-"], inputs={}, output=None, limits=ROOM)
    own_peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert 30 << 20 < finished.peak_memory_bytes < max(256 << 20, own_peak_bytes + (1 << 20))


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel shares by process, not by session")
async def test_a_nice_tool_yields_to_other_sessions(sandbox: Sandbox) -> None:
    task = asyncio.create_task(sandbox.run(FOREVER, inputs={}, output=None, limits=ROOM, nice=10))
    shares: set[str] = set()
    async with asyncio.timeout(20):
        while "nice 10" not in shares:
            await asyncio.sleep(0.05)
            tools = [child for child in descendants() if child.name() == "ffmpeg"]
            shares = {Path(f"/proc/{tool.pid}/autogroup").read_text().split(" ", 1)[1].strip() for tool in tools}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_other_files_cannot_be_read(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not tell")
    neighbour = tmp_path / "source"
    neighbour.write_text("mine")
    for path in (str(secret), f"in/../..{secret}", "/etc/passwd", "/root", "/proc/self/environ", "/sys/kernel"):
        with pytest.raises(Rejected) as refused:
            await sandbox.run(["cat", path], inputs={"source": neighbour}, output=None, limits=ROOM)
        assert "do not tell" not in refused.value.detail
        assert "No such file" in refused.value.detail


async def test_only_the_output_folder_can_be_written(sandbox: Sandbox, tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.write_text("unchanged")
    out.mkdir()
    for target in ("in/source", "in/new", "new", "/new", "/usr/new", "/tmp/../new", str(tmp_path / "new"), "/dev/new"):
        with pytest.raises(Rejected):
            await sandbox.run(["cp", "in/source", target], inputs={"source": source}, output=out, limits=ROOM)
    assert source.read_text() == "unchanged"
    assert {path.name for path in tmp_path.iterdir()} == {"source", "out"}
    assert list(out.iterdir()) == []


async def test_the_environment_is_empty(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORECAST_S3_SECRET_KEY", "do not tell")
    finished = await sandbox.run(["env"], inputs={}, output=None, limits=ROOM)
    assert {line.partition(b"=")[0] for line in finished.stdout.splitlines()} <= {b"PATH", b"LC_ALL", b"PWD"}


async def test_no_network_is_reached(sandbox: Sandbox) -> None:
    async with Canary() as canary:
        await canary.hear_something()
        reading = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "mpegts", "-i", canary.address, "-f", "null", "-"]
        with pytest.raises(Rejected):
            await sandbox.run(reading, inputs={}, output=None, limits=ROOM)
        assert canary.hits == 1


async def test_no_new_process_is_started(sandbox: Sandbox) -> None:
    finished = await sandbox.run(["sh", "-c", "echo alone"], inputs={}, output=None, limits=ROOM)
    assert finished.stdout == b"alone\n"
    with pytest.raises(Rejected):
        await sandbox.run(["sh", "-c", "cat /dev/null; echo two"], inputs={}, output=None, limits=ROOM)


@both
@pytest.mark.parametrize(
    ("argv", "limits", "code"),
    [
        (FOREVER, {"wall_s": 0.5}, "media.too_slow"),
        (("sh", "-c", "while :; do :; done"), {"cpu_s": 1}, "media.too_slow"),
        (("dd", "if=/dev/null", "of=/dev/null", "bs=400M"), {}, "media.too_much_memory"),
        (("dd", "if=/dev/urandom", "of=out/big", "bs=1M", "count=64"), {}, "media.too_much_output"),
        ((*FOREVER[:4], *PROGRESS, "-re", *FOREVER[5:]), {"wall_s": 1.0}, "media.too_slow"),
        (("sleep", "30"), {"no_progress_s": 0.5}, "media.stuck"),
        (("cat", "/dev/urandom"), {}, "media.too_much_output"),
        (("perl", "-e", 'unpack("p", pack("J", 1))'), {}, "media.crashed"),
        (("false",), {}, "media.unreadable"),
    ],
    ids=["wall", "cpu", "memory", "file size", "progress", "stuck", "stdout", "crash", "failure"],
)
async def test_a_limit_ends_it_with_its_reason(
    mode: SandboxMode, argv: Sequence[str], limits: Mapping[str, Any], code: str, tmp_path: Path
) -> None:
    started = time.monotonic()
    with pytest.raises(Rejected) as refused:
        await Sandbox(mode).run(argv, inputs={}, output=tmp_path, limits=dataclasses.replace(ROOM, **limits))
    assert refused.value.code == code
    assert "Your original is kept" in refused.value.sentence
    assert time.monotonic() - started < 30
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= ROOM.output_bytes
    assert descendants() == []


@both
async def test_a_file_without_its_last_bytes_is_not_taken_for_whole(mode: SandboxMode, small_disk: Disk) -> None:
    """ffmpeg 5 exits with 0 here: 1,049,964 bytes on a disk for 1,048,576."""
    sound = ["ffmpeg", "-nostdin", "-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono:d=32.81", "-bitexact"]
    with pytest.raises(Transient) as refused:
        await Sandbox(mode).run([*sound, "out/speech.wav"], inputs={}, output=small_disk.path, limits=ROOM)
    assert refused.value.code == "media.disk_full"
    small_disk.resize(1_060_000)
    await Sandbox(mode).run([*sound, "-y", "out/speech.wav"], inputs={}, output=small_disk.path, limits=ROOM)


async def test_many_small_files_count_together(sandbox: Sandbox, tmp_path: Path) -> None:
    frames = ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=60"]
    with pytest.raises(Rejected) as refused:
        await sandbox.run([*frames, "-f", "image2", "out/%d.bmp"], inputs={}, output=tmp_path, limits=ROOM)
    assert refused.value.code == "media.too_much_output"


async def test_progress_keeps_it_alive(sandbox: Sandbox) -> None:
    heard: list[float] = []
    argv = [*FOREVER[:4], *PROGRESS, "-re", "-t", "2", *FOREVER[5:]]
    await sandbox.run(
        argv, inputs={}, output=None, limits=dataclasses.replace(ROOM, no_progress_s=1), on_progress=heard.append
    )
    assert len(heard) > 3
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(2, abs=0.1)


@both
async def test_cancelling_kills_the_whole_group(mode: SandboxMode) -> None:
    running = asyncio.create_task(Sandbox(mode).run(FOREVER, inputs={}, output=None, limits=ROOM))
    await asyncio.to_thread(_until, lambda: any(child.name() == "ffmpeg" for child in descendants()))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert descendants() == []


@both
def test_a_killed_worker_leaves_no_ffmpeg(mode: SandboxMode) -> None:
    program = (
        "import asyncio; from workers.media.sandbox import *; "
        f"asyncio.run(Sandbox(SandboxMode('{mode}')).run({FOREVER!r}, inputs={{}}, output=None, limits={ROOM!r}))"
    )
    code = f"from workers.media.confinement import Limits\n{program}"
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path.cwd()) as worker:
        family: list[psutil.Process] = []
        _until(lambda: any(p.name() == "ffmpeg" for p in psutil.Process(worker.pid).children(recursive=True)))
        family = psutil.Process(worker.pid).children(recursive=True)
        os.kill(worker.pid, signal.SIGKILL)
    _until(lambda: not any(member.is_running() and member.status() != psutil.STATUS_ZOMBIE for member in family))


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


HOLES = {
    # what is wrong: (option, how many words it has, what stands there instead)
    "reads everything": ("--remount-ro", 2, ("--ro-bind", "/etc", "/etc", "--remount-ro", "/")),
    "writes the root": ("--remount-ro", 2, ()),
    "has the network": ("--unshare-all", 1, ("--unshare-user", "--unshare-pid")),
}


@pytest.mark.parametrize("hole", HOLES)
async def test_a_hole_in_the_fence_stops_the_worker(hole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = confinement.bubblewrapped
    option, width, instead = HOLES[hole]

    def broken(argv: Sequence[str], **fence: Any) -> list[str]:
        command = whole(argv, **fence)
        at = command.index(option)
        return [*command[:at], *instead, *command[at + width :]]

    monkeypatch.setattr(confinement, "bubblewrapped", broken)
    monkeypatch.setattr(confinement, "seccomp_program", lambda: None)
    with pytest.raises(Misconfigured):
        await Sandbox(SandboxMode.BUBBLEWRAP).prove()


@both
@pytest.mark.parametrize("limit", ["memory_bytes", "output_bytes"])
async def test_a_limit_that_does_not_hold_stops_the_worker(
    mode: SandboxMode, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose = dataclasses.replace(sandbox_proof._LIMITS, **{limit: 1 << 40})
    monkeypatch.setattr(sandbox_proof, "_LIMITS", loose)
    with pytest.raises(Misconfigured, match="limit of the media sandbox"):
        await Sandbox(mode).prove()


@pytest.mark.parametrize("missing", ["bwrap", "prlimit"])
async def test_missing_programs_are_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = confinement.bubblewrapped

    def without(argv: Sequence[str], **fence: Any) -> list[str]:
        return [f"{word}-is-not-here" if word == missing else word for word in whole(argv, **fence)]

    monkeypatch.setattr(confinement, "bubblewrapped", without)
    with pytest.raises((Misconfigured, Transient), match="bubblewrap"):
        await Sandbox(SandboxMode.BUBBLEWRAP).prove()


def test_the_filter_of_system_calls_is_whole() -> None:
    for machine in ("x86_64", "aarch64"):
        program = confinement.seccomp_program(machine)
        assert program is not None
        assert len(program) % 8 == 0
    assert confinement.seccomp_program("riscv64") is None
