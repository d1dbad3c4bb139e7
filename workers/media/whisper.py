"""Speech to text: a long-lived child process keeps the model loaded; this side talks to it.

Loading takes 1 to 4 s, so the child lives as long as the worker. It hears only 16 kHz mono PCM that our own
sandboxed ffmpeg made; samples are handed to the model as an array, no media library opens a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

from infra.errors import Misconfigured, Rejected, Transient
from workers.language.records import Transcript

_ROOT = Path(__file__).resolve().parents[2]
_KEPT_ENVIRONMENT = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV", "PYTHONPATH",
    "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES",
)  # fmt: skip
_LINE_LIMIT_BYTES = 64 << 20
_LOAD_LIMIT_S = 120.0


class Whisper:
    """One loaded speech model. One clip at a time; further calls wait their turn.

    `model` is a folder from `weights.resolve`, `name` what the transcript says about it, `threads` the cores
    it may use (1 was as fast as 2 on the reference machine), `beam` 1 (draft) to 5 (accurate), `stall_s` how
    long the child may be silent about a clip before it counts as hung.
    """

    def __init__(self, model: Path, *, name: str = "", threads: int = 1, beam: int = 1, stall_s: float = 600.0) -> None:
        self.model = model
        self.name = name or model.name
        self.threads = threads
        self.beam = beam
        self.stall_s = stall_s
        self.device: str | None = None
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid if self._child and self._child.returncode is None else None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts the child and waits until the model is loaded. Does nothing when it runs already.

        Raises Misconfigured when the model cannot be loaded.
        """
        async with self._turn:
            await self._started()

    async def stop(self) -> None:
        """Ends the child, also in the middle of a clip; that call then raises Transient."""
        await self._kill()

    async def transcribe(
        self,
        pcm: Path,
        *,
        language: str | None = None,
        hotwords: tuple[str, ...] = (),
        on_progress: Callable[[float], None] | None = None,
    ) -> Transcript:
        """What is said in `pcm` (16 kHz mono s16 WAV), before any guard; no speech gives no segments.

        `language` is an ISO 639-1 code, None detects it on the first speech. `hotwords` are a handful of terms
        to expect. `on_progress` gets 0..1. Raises Rejected when the file is no such PCM or the language is
        unknown, Transient when the child died, hung or failed. A cancelled call kills the child; the next
        call starts a new one.
        """
        request = {
            "pcm": os.fspath(_absolute(pcm)),
            "language": language,
            "hotwords": list(hotwords),
            "beam": self.beam,
        }
        async with self._turn:
            child = await self._started()
            try:
                return await self._ask(child, request, on_progress)
            except (Rejected, Transient):
                raise
            except BaseException:
                await self._kill()
                raise

    async def _ask(
        self,
        child: asyncio.subprocess.Process,
        request: dict[str, Any],
        on_progress: Callable[[float], None] | None,
    ) -> Transcript:
        assert child.stdin
        with contextlib.suppress(ConnectionError):  # a dead child is noticed by reading
            child.stdin.write(json.dumps(request).encode() + b"\n")
            await child.stdin.drain()
        async for answer in self._answers(child, self.stall_s):
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
        raise await self._died()

    async def _answers(self, child: asyncio.subprocess.Process, silence_s: float) -> AsyncIterator[dict[str, Any]]:
        """Answers until the child ends. Kills it and raises Transient after `silence_s` without one."""
        assert child.stdout
        while True:
            try:
                line = await asyncio.wait_for(child.stdout.readline(), silence_s)
            except TimeoutError as error:
                await self._kill()
                raise Transient(
                    "The speech model did not answer. The recording is safe; it is tried again.",
                    code="whisper_stalled",
                    detail=f"no answer for {silence_s:.0f} s",
                ) from error
            if not line.endswith(b"\n"):
                return
            yield json.loads(line)

    async def _started(self) -> asyncio.subprocess.Process:
        if self._child and self._child.returncode is None:
            return self._child
        self._child = child = await asyncio.create_subprocess_exec(
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
        try:
            async for answer in self._answers(child, _LOAD_LIMIT_S):
                if answer.get("ready"):
                    self.device = str(answer["device"])
                    return child
        except BaseException:
            await self._kill()
            raise
        await self._kill()
        raise Misconfigured(
            f"The speech model in {self.model} could not be loaded; the log says why. No recording was touched.",
            code="whisper_model_damaged",
        )

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        return kept | {"OMP_NUM_THREADS": str(self.threads), "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}

    async def _died(self) -> Transient:
        child = self._child
        await self._kill()
        code = child.returncode if child else None
        return Transient(
            "The speech model stopped in the middle of this recording. The recording is safe; it is tried again.",
            code="whisper_died",
            detail=f"exit status {code}",
        )

    async def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await asyncio.shield(child.wait())


def _absolute(pcm: Path) -> Path:
    return pcm.absolute()  # the child works in another folder
