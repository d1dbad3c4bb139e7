"""The only place where a media tool meets an uploaded file.

Inside, the working folder holds `in/<name>` (read-only) and `out` (writable); there is no network and no other
file of ours. What comes back is either `Finished` or one of the two errors of work: `Rejected` when the file is
to blame, `Transient` when something around it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from infra.errors import Misconfigured, Rejected, Transient
from infra.settings import SandboxMode
from workers.media import confinement
from workers.media.confinement import Limits
from workers.media.process import Ending, Group, Progress

__all__ = ["Finished", "Limits", "Progress", "Sandbox", "SandboxMode"]

log = structlog.get_logger()
_SENTENCES = {
    "media.too_slow": "This file takes far longer to read than a recording of its length should.",
    "media.stuck": "Reading this file came to a standstill.",
    "media.too_much_memory": "This file needs far more memory than a recording of its size should.",
    "media.too_many_processes": "Reading this file started far more work than a recording should.",
    "media.too_much_output": "This file unfolds into far more data than a recording of its length should.",
    "media.too_many_streams": "This file has far more tracks than a recording should.",
    "media.crashed": "This file makes the video decoder fail.",
    "media.unreadable": "This file cannot be read as a video: it may be damaged or cut off.",
}
_WHAT_TO_DO = " Your original is kept as you sent it. Export it again as MP4 (H.264) and upload that."
_NO_MEMORY = re.compile(r"Cannot allocate memory|memory exhausted|[Oo]ut of memory|malloc of size")
# ffmpeg 5 exits with 0 when the disk is full only for the last bytes of a file: the file then lacks its end or header.
_UNFINISHED = re.compile(
    r"^(?:\[[^\]]*\] )?Error (?:writing trailer|closing file)\b"
    r".*: (?:No space left on device|Disk quota exceeded|File too large)$",
    re.MULTILINE,
)
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True)
class Finished:
    """A run that ended well."""

    stdout: bytes
    stderr_tail: str
    cpu_s: float
    peak_memory_bytes: int


class Sandbox:
    """Runs media tools on files nobody trusts.

    With `SandboxMode.NONE` resource limits are all there is: a hostile file could read what the worker can.
    """

    def __init__(self, mode: SandboxMode) -> None:
        self.mode = mode
        self._seccomp = confinement.seccomp_program()

    async def run(
        self,
        argv: Sequence[str],
        *,
        inputs: Mapping[str, Path],
        output: Path | None,
        limits: Limits,
        on_progress: Progress | None = None,
        nice: int = 0,
    ) -> Finished:
        """Run `argv` with `inputs` (name inside → file) and one output folder.

        `on_progress` hears seconds of the clip's timeline when `argv` has `-progress pipe:1`. Raises Rejected
        when the file is to blame or a limit was hit, Transient when the machine is. When the calling task is
        cancelled, the whole process group is killed and gone before the cancellation goes on.
        """
        with self._prepared(argv, inputs, output, limits, nice) as group:
            began = time.monotonic()
            ending = await group.finish(limits, output, on_progress)
        _note(argv, ending, wall_s=time.monotonic() - began)
        return _verdict(ending, limits)

    @contextlib.contextmanager
    def _prepared(
        self, argv: Sequence[str], inputs: Mapping[str, Path], output: Path | None, limits: Limits, nice: int
    ) -> Iterator[Group]:
        fenced = self.mode is SandboxMode.BUBBLEWRAP
        command = confinement.limited(argv, limits, nice=nice, count_processes=fenced)
        with contextlib.ExitStack() as stack:
            try:
                if fenced:
                    fds = () if self._seccomp is None else (stack.enter_context(_readable(self._seccomp)),)
                    command = confinement.bubblewrapped(
                        command, inputs=inputs, output=output, seccomp_fd=next(iter(fds), None)
                    )
                    yield Group(command, folder=None, environment=_ENVIRONMENT, fds=fds, nice=nice)
                else:
                    folder = stack.enter_context(_folder_with_links(inputs, output))
                    command = confinement.dies_with_parent(command)
                    yield Group(command, folder=folder, environment=_ENVIRONMENT, fds=(), nice=nice)
            except FileNotFoundError as missing:
                raise Misconfigured(_missing(missing.filename), code="media.sandbox") from missing

    async def prove(self) -> None:
        """Show that the sandbox holds on this machine; raise Misconfigured, with what to do, when not."""
        from workers.media.sandbox_proof import prove  # noqa: PLC0415 - the proof uses the sandbox

        await prove(self)


def _note(argv: Sequence[str], ending: Ending, *, wall_s: float) -> None:
    """For whoever looks for what costs time; `tests/bench/pipeline.py` does."""
    made = re.findall(rf"\b{confinement.OUTPUT}/([\w.]+)", " ".join(argv))
    log.debug("media.ran", tool=argv[0], made=made, wall_s=round(wall_s, 2), cpu_s=round(ending.cpu_s, 2))


def _verdict(ending: Ending, limits: Limits) -> Finished:
    """Turn how it ended into a result or an error of work."""
    code = ending.killed or _code(ending, limits)
    if code is None:
        return Finished(ending.stdout, ending.stderr_tail, ending.cpu_s, ending.peak_memory_bytes)
    detail = f"exit {ending.returncode}, {ending.cpu_s:.1f} CPU-s: {ending.stderr_tail[-2000:]}"
    if code in _SENTENCES:
        raise Rejected(_SENTENCES[code] + _WHAT_TO_DO, code=code, detail=detail)
    busy = "This machine was too busy for this step. " if code == "work.starved" else ""
    raise Transient(f"{busy}The worker could not run the video tool just now.", code=code, detail=detail)


def _code(ending: Ending, limits: Limits) -> str | None:
    """The code of an ending no limit of ours brought about; None when all is well."""
    by, said = _signal(ending.returncode), ending.stderr_tail
    if ending.returncode == 0 and not _UNFINISHED.search(said):
        return None
    causes = {
        # The kernel's count and the one it reports differ by some tenths of a second.
        "media.too_slow": ending.cpu_s >= 0.8 * limits.cpu_s or by is signal.SIGXCPU,
        "media.too_much_output": by is signal.SIGXFSZ or "File too large" in said,
        "media.disk_full": "No space left on device" in said or "Disk quota exceeded" in said,
        "media.killed": by in {signal.SIGKILL, signal.SIGTERM},
        "media.sandbox": said.startswith(("bwrap:", "prlimit:", "setpriv:", "nice:")),
        "media.too_many_streams": "exceeds max_streams" in said,
        "media.too_much_memory": _NO_MEMORY.search(said) is not None,
        "media.crashed": by is not None,
        "media.unreadable": True,
    }
    return next(code for code, so in causes.items() if so)


def _signal(returncode: int) -> signal.Signals | None:
    """The signal that ended it: -N from the child itself, 128+N when bubblewrap reports it."""
    number = -returncode if returncode < 0 else returncode - 128
    return signal.Signals(number) if number in signal.valid_signals() else None


@contextlib.contextmanager
def _readable(content: bytes) -> Iterator[int]:
    """A file descriptor from which `content` can be read once."""
    descriptor = os.memfd_create("seccomp")
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _folder_with_links(inputs: Mapping[str, Path], output: Path | None) -> Iterator[Path]:
    """The same names as inside bubblewrap, as links in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="lorecast-") as name:
        folder = Path(name)
        (folder / confinement.INPUTS).mkdir()
        for inside, path in inputs.items():
            (folder / confinement.INPUTS / inside).symlink_to(path.resolve())
        if output is not None:
            (folder / confinement.OUTPUT).symlink_to(output.resolve())
        yield folder


def _missing(program: str | None) -> str:
    return (
        f"The program {program} is not installed. Install ffmpeg and bubblewrap "
        "(Debian and Ubuntu: apt-get install ffmpeg bubblewrap)."
    )
