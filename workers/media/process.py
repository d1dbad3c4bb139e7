"""One process group: started, read, watched, measured, and killed as a whole."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from infra.processes import share_less
from workers.media.confinement import Limits

_TICK_S = 0.2
_FAMILY_EVERY_S = 1.0
_STDOUT_BYTES = 64 << 20
_STDERR_TAIL_BYTES = 16 << 10
_LAST_BREATH_S = 10.0
# A shorter time tells nothing about how busy the machine is.
_LONG_S = 25.0

Progress = Callable[[float], None]
"""Called with seconds of the clip's timeline done so far."""


@dataclass(frozen=True)
class Ending:
    """How the group ended. `killed` is the code of the limit it hit, or None."""

    returncode: int
    killed: str | None
    stdout: bytes
    stderr_tail: str
    cpu_s: float
    peak_memory_bytes: int


@dataclass
class _Observed:
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    counters: dict[bytes, bytes] = field(default_factory=dict)
    moved_at: float = field(default_factory=time.monotonic)
    moved_cpu_s: float = 0.0
    out_time_s: float = 0.0
    overflow: bool = False


class Group:
    """A child in a process group of its own.

    Start it on a thread that lives as long as the worker (the event loop's): the kernel's parent-death
    signal, which kills it when the worker is killed, is tied to the thread that started it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        folder: Path | None,
        environment: dict[str, str] | None,
        fds: tuple[int, ...],
        nice: int,
    ) -> None:
        self._process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            start_new_session=True, cwd=folder, env=environment, pass_fds=fds,
        )  # fmt: skip
        self._nice = nice
        self._seen = _Observed()
        self._peak_memory_bytes = 0
        self._cpu_s = 0.0
        self._family: list[psutil.Process] = []
        self._family_at = 0.0

    async def finish(self, limits: Limits, output: Path | None, on_progress: Progress | None) -> Ending:
        """Wait for the end, or bring it about: at a limit, or when this task is cancelled."""
        killed: str | None = None
        readers = asyncio.gather(self._read_stdout(on_progress), self._read_stderr())
        exited = asyncio.Event()
        pidfd = os.pidfd_open(self._process.pid)
        loop = asyncio.get_running_loop()
        loop.add_reader(pidfd, exited.set)
        try:
            killed = await self._watch(exited, limits, output)
        finally:
            self._kill()
            await exited.wait()
            loop.remove_reader(pidfd)
            os.close(pidfd)
            usage = self._reap()
            # The pipes close when the last member of the group is gone.
            await asyncio.wait([readers], timeout=_LAST_BREATH_S)
        return Ending(
            returncode=self._process.returncode,
            killed=killed or ("media.too_much_output" if self._seen.overflow else None),
            stdout=bytes(self._seen.stdout),
            stderr_tail=self._seen.stderr.decode("utf-8", "replace"),
            cpu_s=usage.ru_utime + usage.ru_stime,
            # At most: a child starts out as a copy of us, and the kernel counts that in.
            peak_memory_bytes=max(self._peak_memory_bytes, usage.ru_maxrss * 1024),
        )

    async def _watch(self, exited: asyncio.Event, limits: Limits, output: Path | None) -> str | None:
        """Look at the group every `_TICK_S`; the code of the limit it passed, or None when it ended."""
        started = time.monotonic()
        while not exited.is_set():
            try:
                await asyncio.wait_for(exited.wait(), _TICK_S)
            except TimeoutError:
                passed = self._passed(limits, output, time.monotonic() - started)
                if passed:
                    return passed
        return None

    def _passed(self, limits: Limits, output: Path | None, wall_s: float) -> str | None:
        threads, memory_bytes = self._size()
        self._peak_memory_bytes = max(self._peak_memory_bytes, memory_bytes)
        if wall_s > limits.wall_s:
            return "work.starved" if _is_starved(self._cpu_s, wall_s) else "media.too_slow"
        stuck_s, stuck_cpu_s = time.monotonic() - self._seen.moved_at, self._cpu_s - self._seen.moved_cpu_s
        if (
            limits.no_progress_s is not None
            and stuck_s > limits.no_progress_s
            and not _is_starved(stuck_cpu_s, stuck_s)
        ):
            return "media.stuck"
        if memory_bytes > limits.memory_bytes:
            return "media.too_much_memory"
        if threads > limits.processes:
            return "media.too_many_processes"
        if self._seen.overflow or (output is not None and _folder_bytes(output) > limits.output_bytes):
            return "media.too_much_output"
        return None

    def _size(self) -> tuple[int, int]:
        """Threads and resident bytes of the whole family. Who belongs to it is looked up once a second."""
        now = time.monotonic()
        try:
            if now - self._family_at > _FAMILY_EVERY_S or len(self._family) < 2:
                me = psutil.Process(self._process.pid)
                known = {member.pid for member in self._family}
                self._family = [me, *me.children(recursive=True)]
                self._family_at = now
                for member in self._family if self._nice else ():
                    if member.pid not in known:
                        share_less(member.pid, self._nice)
            threads = memory_bytes = 0
            cpu_s = 0.0
            for member in self._family:
                with member.oneshot():
                    threads += member.num_threads()
                    memory_bytes += member.memory_info().rss
                    times = member.cpu_times()
                    cpu_s += times.user + times.system
            self._cpu_s = max(self._cpu_s, cpu_s)
        except psutil.NoSuchProcess:
            self._family = []
            return 0, 0
        return threads, memory_bytes

    def _kill(self) -> None:
        """Kill the group. Nobody has reaped its leader yet, so the number cannot be somebody else's."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def _reap(self) -> resource.struct_rusage:
        """Collect the leader, which has ended, and what it and everything it waited for has used."""
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return usage

    async def _read_stdout(self, on_progress: Progress | None) -> None:
        reader = await _reader(self._process.stdout)
        unfinished = b""
        while chunk := await reader.read(1 << 16):
            if len(self._seen.stdout) + len(chunk) > _STDOUT_BYTES:
                self._seen.overflow = True
                continue
            self._seen.stdout += chunk
            *lines, unfinished = (unfinished + chunk[-4096:]).split(b"\n")
            for line in lines:
                self._note(line, on_progress)

    def _note(self, line: bytes, on_progress: Progress | None) -> None:
        """ffmpeg -progress: `frame`, `total_size` and `out_time_us` tell whether anything moves."""
        name, _, value = line.partition(b"=")
        if name not in {b"out_time_us", b"total_size", b"frame"}:
            return
        if name == b"out_time_us" and value.lstrip(b"-").isdigit():
            done_s = int(value) / 1e6
            if done_s > self._seen.out_time_s:
                self._seen.out_time_s = done_s
                self._moved()
                if on_progress is not None:
                    on_progress(done_s)
        elif self._seen.counters.get(name) != value:
            self._seen.counters[name] = value
            self._moved()

    def _moved(self) -> None:
        self._seen.moved_at, self._seen.moved_cpu_s = time.monotonic(), self._cpu_s

    async def _read_stderr(self) -> None:
        reader = await _reader(self._process.stderr)
        while chunk := await reader.read(1 << 16):
            self._seen.stderr += chunk
            del self._seen.stderr[:-_STDERR_TAIL_BYTES]


def _is_starved(cpu_s: float, wall_s: float) -> bool:
    """Whether others had the processor: some of it was used, so nothing waits for what never comes, but little."""
    return wall_s > _LONG_S and 0.02 * wall_s < cpu_s < 0.3 * wall_s


async def _reader(pipe: object) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    return reader


def _folder_bytes(folder: Path) -> int:
    return sum(entry.stat(follow_symlinks=False).st_size for entry in os.scandir(folder))
