"""What a stage has at hand: database, storage, the sandbox, the models, and a folder of its own.

An original is fetched once a worker and kept while the worker has room, so stages of one recording share it; so is
the sound that both transcription and loudness need.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import structlog
from pydantic import TypeAdapter

from capture import service as capture
from capture.container import Container
from capture.models import Recording
from infra import ledger
from infra.database import Bell, Database, Work
from infra.errors import Transient, Unavailable
from infra.failpoints import failpoint
from infra.ledger import Claim
from infra.settings import WorkSettings
from infra.storage import Storage
from learn.embedding import Embedder, Vectors
from workers.media.audio import Audio, extract_audio
from workers.media.probe import MediaInfo
from workers.media.sandbox import Sandbox
from workers.media.whisper import Whisper

_KEPT_RECORDINGS = 4
_MEDIA_INFO: TypeAdapter[MediaInfo] = TypeAdapter(MediaInfo)
Follow = Callable[[Work, Claim, float], Awaitable[None]]
Result = TypeVar("Result")
Change = Callable[[Work], Awaitable[Result]]
log = structlog.get_logger()
# While the database is away, it is asked this often.
_AGAIN_S = 1.0


async def _nothing(_work: Work) -> None:
    """Nothing but the end of the stage."""


@dataclass(frozen=True)
class Task:
    """One claimed stage run: its claim, an empty folder for what it makes, and where it reports progress (0..1)."""

    claim: Claim
    folder: Path
    report: Callable[[float], None]


@dataclass
class _Kept:
    """What this worker keeps of a recording."""

    folder: Path
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    sha256: str | None = None
    audio: Audio | None = None
    has_audio: bool | None = None


class Workbench:
    """Everything a stage may use. One for each worker."""

    def __init__(
        self,
        *,
        database: Database,
        bell: Bell,
        storage: Storage,
        sandbox: Sandbox,
        whisper: Whisper,
        settings: WorkSettings,
        scratch: Path,
    ) -> None:
        self._database = database
        self._bell = bell
        self.storage = storage
        self.sandbox = sandbox
        self.whisper = whisper
        self.settings = settings
        self.scratch = scratch
        self.follow: Follow | None = None
        self._embedder: Embedder | None = None
        self._kept: OrderedDict[UUID, _Kept] = OrderedDict()

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        """A unit of work for looking things up, before and during a stage."""
        async with self._database.work(self._bell) as work:
            yield work

    async def patiently(self, change: Change[Result]) -> Result:
        """A unit of work that is tried again while the database is away.

        What took minutes to make is not thrown away for that. It ends all the same: the heartbeat cancels a stage
        whose lease could not be renewed in time.
        """
        while True:
            try:
                async with self.work() as work:
                    return await change(work)
            except Unavailable as error:
                log.warning("stage.waits_for_database", code=error.code)
                await asyncio.sleep(_AGAIN_S)

    async def publish(self, task: Task, change: Change[None] = _nothing) -> None:
        """End a stage well, in one unit of work: on condition of its fence, `change`, then the stages that follow.

        Raises LeaseLost for a zombie, NotFound when the recording was deleted; nothing is published then.
        """

        async def end(work: Work) -> None:
            recording = await capture.recording_to_process(work, task.claim.recording_id, lock=True)
            await ledger.complete(work, task.claim)
            await change(work)
            assert self.follow is not None
            await self.follow(work, task.claim, recording.duration_s or 0.0)
            failpoint(f"before_commit_of_{task.claim.stage}", task.claim.recording_id)

        await self.patiently(end)
        failpoint(f"after_{task.claim.stage}", task.claim.recording_id)

    async def recording(self, task: Task) -> tuple[Recording, MediaInfo]:
        """The recording of a task, and what the probe found."""
        async with self.work() as work:
            recording = await capture.recording_to_process(work, task.claim.recording_id)
        return recording, _MEDIA_INFO.validate_python(recording.probe)

    @asynccontextmanager
    async def source(self, recording: Recording) -> AsyncIterator[tuple[Path, str]]:
        """The original as a local file under a name we chose, and its SHA-256. Fetched at most once a worker."""
        kept = self._keep(recording.id)
        kept.users += 1
        try:
            path = kept.folder / f"source{Container(recording.container).suffix}"
            async with kept.lock:
                if kept.sha256 is None:
                    kept.sha256 = await self._fetch(recording, path)
            yield path, kept.sha256
        finally:
            kept.users -= 1
            self.make_room(keep=_KEPT_RECORDINGS)

    @asynccontextmanager
    async def sound(
        self, recording: Recording, info: MediaInfo, report: Callable[[float], None]
    ) -> AsyncIterator[Audio | None]:
        """The sound as 16 kHz PCM with its loudness, or None without sound. Made at most once a worker."""
        async with self.source(recording) as (path, _):
            kept = self._kept[recording.id]
            async with kept.lock:
                if kept.has_audio is None:
                    # A folder of its own: the sandbox may write there, and nowhere near the original.
                    folder = kept.folder / "sound"
                    folder.mkdir(exist_ok=True)
                    try:
                        kept.audio = await extract_audio(self.sandbox, path, info, folder, report)
                    except BaseException:
                        shutil.rmtree(folder, ignore_errors=True)  # half a file is of no use to anybody
                        raise
                    kept.has_audio = kept.audio is not None
            yield kept.audio

    async def embed(self, texts: list[str]) -> Vectors:
        """Unit vectors of texts, shape (n, 384), computed off the event loop."""
        return await asyncio.to_thread(self._embed, texts)

    def _embed(self, texts: list[str]) -> Vectors:
        if self._embedder is None:
            self._embedder = Embedder()
        return self._embedder.embed(texts)

    async def _fetch(self, recording: Recording, path: Path) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        await self.storage.get_file(recording.original_key, path)
        if path.stat().st_size != recording.size_bytes:
            path.unlink()
            raise Transient("The original could not be read whole.", code="work.short_read")
        digest = await asyncio.to_thread(_sha256, path)
        if recording.sha256 not in {None, digest}:
            path.unlink()
            raise Transient("The original is not what was uploaded.", code="work.damaged_original")
        return digest

    def _keep(self, recording_id: UUID) -> _Kept:
        kept = self._kept.get(recording_id)
        if kept is None:
            kept = self._kept[recording_id] = _Kept(self.scratch / f"recording-{recording_id}")
        self._kept.move_to_end(recording_id)
        return kept

    def make_room(self, *, keep: int = 0) -> None:
        """Remove what is kept of recordings nobody works on, oldest first, down to `keep` recordings."""
        for recording_id, kept in list(self._kept.items()):
            if len(self._kept) <= keep:
                return
            if kept.users == 0:
                del self._kept[recording_id]
                shutil.rmtree(kept.folder, ignore_errors=True)


def describe(info: MediaInfo) -> dict[str, Any]:
    """MediaInfo as JSON, for the recording's row."""
    described: dict[str, Any] = _MEDIA_INFO.dump_python(info, mode="json")
    return described


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
