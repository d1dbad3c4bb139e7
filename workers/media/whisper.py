"""Speech to text: a long-lived child process keeps the model loaded; this side talks to it.

Loading takes 1 to 4 s, so the child lives as long as the worker. It hears only 16 kHz mono PCM that our own
sandboxed ffmpeg made; samples are handed to the model as an array, no media library opens a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from infra.errors import Misconfigured, Rejected, Transient
from workers.language.records import Span, Transcript

_ROOT = Path(__file__).resolve().parents[2]
_KEPT_ENVIRONMENT = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV", "PYTHONPATH",
    "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES",
)  # fmt: skip
_LINE_LIMIT_BYTES = 64 << 20
_LOAD_LIMIT_S = 120.0


@dataclass
class _Child:
    """The process, and where the answers to each request go; None in a queue says that the process has ended."""

    process: asyncio.subprocess.Process
    waiting: dict[int, asyncio.Queue[dict[str, Any] | None]] = field(default_factory=dict)
    reader: asyncio.Task[None] | None = None

    @property
    def runs(self) -> bool:
        return self.process.returncode is None

    def expect(self, number: int) -> None:
        """Make room for the answers to a request."""
        self.waiting[number] = asyncio.Queue()
        if self.reader is None or self.reader.done():
            self.waiting[number].put_nowait(None)

    async def read(self) -> None:
        """Hand out answers until the process ends."""
        try:
            while answer := await _answer_of(self.process):
                queue = self.waiting.get(answer["id"])
                if queue is not None:
                    queue.put_nowait(answer)
        finally:
            for queue in self.waiting.values():
                queue.put_nowait(None)

    async def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        with contextlib.suppress(ConnectionError):  # a dead child is noticed by reading
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            await self.process.stdin.drain()


class Whisper:
    """One loaded speech model. Several clips at once take turns.

    `model` is a folder from `weights.resolve`, `name` what the transcript says about it, `threads` how many windows of
    speech it hears at once, `beam` 1 (draft) to 5 (accurate), `stall_s` how long the child may be silent about a clip
    before it counts as hung.
    """

    def __init__(self, model: Path, *, name: str = "", threads: int = 1, beam: int = 1, stall_s: float = 600.0) -> None:
        self.model = model
        self.name = name or model.name
        self.threads = threads
        self.beam = beam
        self.stall_s = stall_s
        self.device: str | None = None
        self._child: _Child | None = None
        self._numbers = itertools.count(1)
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.process.pid if self._child and self._child.runs else None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts the child and waits until the model is loaded. Does nothing when it runs already.

        Raises Misconfigured when the model cannot be loaded.
        """
        await self._started()

    async def stop(self) -> None:
        """Ends the child, also in the middle of a clip; that call then raises Transient."""
        if self._child is not None:
            await self._kill(self._child)

    async def transcribe(
        self,
        pcm: Path,
        *,
        language: str | None = None,
        hotwords: tuple[str, ...] = (),
        within: Sequence[Span] = (),
        on_progress: Callable[[float], None] | None = None,
    ) -> Transcript:
        """What is said in `pcm` (16 kHz mono s16 WAV), before any guard; no speech gives no segments.

        `language` is an ISO 639-1 code, None detects it on the first speech. `hotwords` are a handful of terms
        to expect. `within` names stretches of speech (start_s, end_s); nothing else is heard then. `on_progress`
        gets 0..1. Raises Rejected when the file is no such PCM or the language is unknown, Transient when the child
        died, hung or failed. A cancelled call leaves the others alone.
        """
        child = await self._started()
        number = next(self._numbers)
        request = {
            "id": number,
            "pcm": os.fspath(_absolute(pcm)),
            "language": language,
            "hotwords": list(hotwords),
            "within": list(within),
            "beam": self.beam,
        }
        child.expect(number)
        try:
            await child.send(request)
            return await self._heard(child, number, on_progress)
        except asyncio.CancelledError:
            await child.send({"cancel": number})
            raise
        finally:
            del child.waiting[number]

    async def _heard(self, child: _Child, number: int, on_progress: Callable[[float], None] | None) -> Transcript:
        while answer := await self._answer(child, number):
            if "progress" in answer:
                if on_progress:
                    on_progress(float(answer["progress"]))
            elif "transcript" in answer:
                return Transcript.from_json(answer["transcript"])
            elif "rejected" in answer:
                raise Rejected(answer["sentence"], code=answer["rejected"], detail=answer.get("detail", ""))
            else:
                raise Transient(
                    "The speech model failed on this recording. The recording is safe; it is tried again.",
                    code="whisper_failed",
                    detail=f"{answer.get('failed')}\n{answer.get('detail')}",
                )
        await self._kill(child)
        raise Transient(
            "The speech model stopped in the middle of this recording. The recording is safe; it is tried again.",
            code="whisper_died",
            detail=f"exit status {child.process.returncode}",
        )

    async def _answer(self, child: _Child, number: int) -> dict[str, Any] | None:
        """The next answer to a request, None when the child has ended. A child that hangs is killed."""
        try:
            return await asyncio.wait_for(child.waiting[number].get(), self.stall_s)
        except TimeoutError as error:
            await self._kill(child)
            raise Transient(
                "The speech model did not answer. The recording is safe; it is tried again.",
                code="whisper_stalled",
                detail=f"no answer for {self.stall_s:.0f} s",
            ) from error

    async def _started(self) -> _Child:
        async with self._starting:
            if self._child is None or not self._child.runs:
                self._child = await self._start()
            return self._child

    async def _start(self) -> _Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "workers.media.whisper_process",
            "--model", str(self.model), "--name", self.name,
            "--threads", str(self.threads), "--parent", str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=_ROOT,
            env=self._environment(),
            limit=_LINE_LIMIT_BYTES,
            start_new_session=True,  # Ctrl-C reaches the worker alone, which then stops this child in order
        )  # fmt: skip
        self._child = child = _Child(process)
        try:
            ready = await asyncio.wait_for(_answer_of(process), _LOAD_LIMIT_S)
        except BaseException:
            await self._kill(child)
            raise
        if ready is None:
            await self._kill(child)
            raise Misconfigured(
                f"The speech model in {self.model} could not be loaded; the log says why. No recording was touched.",
                code="whisper_model_damaged",
            )
        self.device = str(ready["device"])
        child.reader = asyncio.create_task(child.read())
        return child

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        # One heap for all threads: a heap each takes 120 MB more with two (docs/decisions/0007).
        return kept | {
            "OMP_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "1",
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
        }

    async def _kill(self, child: _Child) -> None:
        if self._child is child:
            self._child = None
        with contextlib.suppress(ProcessLookupError):
            child.process.kill()
        await asyncio.shield(child.process.wait())


async def _answer_of(process: asyncio.subprocess.Process) -> dict[str, Any] | None:
    """The next line of a process, None when it has ended."""
    assert process.stdout
    line = await process.stdout.readline()
    if not line.endswith(b"\n"):
        return None
    answer: dict[str, Any] = json.loads(line)
    return answer


def _absolute(pcm: Path) -> Path:
    return pcm.absolute()  # the child works in another folder
