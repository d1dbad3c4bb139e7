"""Claims stages, runs them, and ends each one exactly once.

The loop looks at the ledger when the doorbell rings and every few seconds. How many run at a time: `workers/slots.py`.
A stage that loses its lease is cancelled; so is every stage when the worker drains.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
from opentelemetry.trace import SpanKind

from capture import service as capture
from infra import ledger
from infra.database import Work
from infra.errors import LorecastError, NotFound, Rejected, Unavailable, WorkError
from infra.failpoints import failpoint
from infra.ledger import Claim, ErrorClass, LeaseLost, StageState
from infra.storage import DISK_FULL
from infra.tracing import span
from workers import pipeline
from workers.heartbeat import Heartbeat, Key
from workers.slots import Slot, Slots
from workers.workbench import Task, Workbench

log = structlog.get_logger()
# A draining worker lets short stages end for this long; everything else is given back at once.
DRAIN_S = 5.0
# A draining worker does not wait longer than this for a database that is away: its leases run out by themselves.
_LAST_WORDS_S = 3.0
_SWEEP_S = 5.0
_JANITOR_S = 300.0
_DISK_FULL = "work.disk_full"


@dataclass(frozen=True)
class _Failure:
    """How a stage ended badly, as the ledger keeps it."""

    kind: ErrorClass
    code: str
    sentence: str
    detail: str


class Runner:
    """The loop of one worker."""

    def __init__(self, bench: Workbench, *, database_url: str, janitor: Callable[[], Awaitable[None]]) -> None:
        self._bench = bench
        self._settings = bench.settings
        self._janitor = janitor
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"
        self._slots = Slots(
            {
                Slot.QUICK: self._settings.quick_slots,
                Slot.SPEECH: self._settings.speech_slots,
                Slot.ENCODE: self._settings.encode_slots,
            }
        )
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._lost: set[Key] = set()
        self._suspect: Key | None = None
        self._wake = asyncio.Event()
        self._draining = False
        loop = asyncio.get_running_loop()
        self._given_up: asyncio.Future[None] = loop.create_future()

        def on_lost(key: Key) -> None:
            loop.call_soon_threadsafe(self._lose, key)

        self._heartbeat = Heartbeat(
            database_url,
            lease_s=self._settings.lease_s,
            every_s=self._settings.heartbeat_s,
            on_lost=on_lost,
        )
        bench.follow = pipeline.follow

    async def ring(self) -> None:
        """Somebody rang: look at the ledger now."""
        self._wake.set()

    def drain(self) -> None:
        """Stop claiming; `run` returns when what runs is finished or given back."""
        if not self._draining:
            self._draining = True
            self._wake.set()
            asyncio.get_running_loop().call_later(_LAST_WORDS_S, self._given_up.set_result, None)

    async def run(self) -> None:
        """Work until `drain` is called."""
        self._heartbeat.start()
        upkeep = asyncio.create_task(self._upkeep())
        try:
            while not self._draining:
                self._wake.clear()
                claiming = asyncio.create_task(self._claim_one())
                either: list[asyncio.Future[Any]] = [claiming, self._given_up]
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if not claiming.done():
                    claiming.cancel()
                elif not claiming.result():
                    await self._wait(self._wake.wait(), self._settings.poll_s)
        finally:
            upkeep.cancel()
            await self._drain()
            await asyncio.gather(_briefly(self._say_goodbye()), asyncio.to_thread(self._heartbeat.stop))

    async def _say_goodbye(self) -> None:
        async with self._bench.work() as work:
            await ledger.forget_worker(work, self.owner)

    @staticmethod
    async def _wait(awaitable: Awaitable[object], limit_s: float) -> None:
        try:
            await asyncio.wait_for(awaitable, limit_s)
        except TimeoutError:
            return

    async def _claim_one(self) -> bool:
        most_s = {stage.name: self._slots.most_s(stage.slot) for stage in pipeline.STAGES}
        free = {name: cost_s for name, cost_s in most_s.items() if cost_s is not None}
        if not free:
            return False
        try:
            async with self._bench.work() as work:
                claimed = await ledger.claim(
                    work,
                    stages=free,
                    owner=self.owner,
                    lease_s=self._settings.lease_s,
                    # One at a time: the next crash then tells which one it was, and the others stay alive.
                    suspects=self._suspect is None,
                )
        except LorecastError as error:
            log.warning("worker.cannot_claim", code=error.code)
            return False
        except Exception:
            log.exception("worker.cannot_claim")
            return False
        if claimed is None:
            return False
        self._start(claimed)
        return True

    def _start(self, claimed: Claim) -> None:
        key = (claimed.id, claimed.fence)
        slot = pipeline.BY_NAME[claimed.stage].slot
        self._slots.take(slot, claimed.cost_s)
        self._heartbeat.watch(key)
        if claimed.is_suspect:
            self._suspect = key
        task = asyncio.create_task(self._perform(claimed, key), name=f"{slot}:{claimed.stage}")
        self._tasks[key] = task

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                # The lease runs out, and the sweep of any worker then takes the stage back.
                log.error("stage.not_ended", stage=claimed.stage, error=repr(task.exception()))
            self._slots.leave(slot, claimed.cost_s)
            self._tasks.pop(key, None)
            if self._suspect == key:
                self._suspect = None
            self._lost.discard(key)
            self._heartbeat.forget(key)
            self._wake.set()

        task.add_done_callback(ended)

    def _lose(self, key: Key) -> None:
        task = self._tasks.get(key)
        if task is not None:
            self._lost.add(key)
            task.cancel()

    async def _perform(self, claimed: Claim, key: Key) -> None:
        stage = pipeline.BY_NAME[claimed.stage]
        folder = self._bench.scratch / f"{claimed.stage}-{claimed.id}-{claimed.fence}"
        bound = structlog.contextvars.bound_contextvars(
            recording=str(claimed.recording_id), stage=claimed.stage, stage_run=str(claimed.id), attempt=claimed.attempt
        )
        try:
            with bound:
                failpoint(f"before_{claimed.stage}", claimed.recording_id)
                await self._attempt(stage, Task(claimed, folder, lambda done: self._heartbeat.report(key, done)), key)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _attempt(self, stage: pipeline.Stage, task: Task, key: Key) -> None:
        log.info("stage.started")
        recording, attempt = str(task.claim.recording_id), task.claim.attempt
        try:
            with span(
                f"stage {stage.name}",
                parent=task.claim.trace,
                kind=SpanKind.CONSUMER,
                recording=recording,
                attempt=attempt,
            ):
                task.folder.mkdir(parents=True)
                if attempt > 1:
                    await self._bench.storage.ping()  # an encode for a storage that is away would be for nothing
                await stage.run(self._bench, task)
        except asyncio.CancelledError:
            if key in self._lost:
                log.warning("stage.lease_lost")
                return
            await self._give_back(task.claim)
        except LeaseLost:
            log.warning("stage.lease_lost")
        except NotFound as error:
            await self._end_missing(task.claim, error)
        except Exception as error:  # noqa: BLE001 - whatever it was, this stage ends badly and the worker goes on
            failure = _failure_of(error, self._bench.scratch.parent)
            if failure.code == _DISK_FULL:
                # What is kept for later goes first, so that other stages can work.
                self._bench.make_room()
            await self._fail(task.claim, failure)
        else:
            log.info("stage.done")

    async def _fail(self, claimed: Claim, failure: _Failure) -> None:
        log.warning("stage.failed", kind=failure.kind, code=failure.code, detail=failure.detail[-500:])

        async def store(work: Work) -> None:
            await capture.lock_recording(work, claimed.recording_id)
            state = await ledger.fail(
                work,
                claimed,
                kind=failure.kind,
                code=failure.code,
                sentence=failure.sentence,
                detail=failure.detail,
                max_strikes=self._settings.max_strikes,
            )
            if state in {StageState.FAILED, StageState.DEAD}:
                await capture.note_failure(work, claimed.recording_id, code=failure.code, sentence=failure.sentence)

        try:
            await self._bench.patiently(store)
        except LeaseLost:
            log.warning("stage.lease_lost")

    async def _end_missing(self, claimed: Claim, error: NotFound) -> None:
        """The recording was deleted, or something the stage needs is gone from storage."""

        async def cancel_if_deleted(work: Work) -> bool:
            exists = await capture.lock_recording(work, claimed.recording_id)
            if not exists:
                await ledger.cancel(work, claimed.recording_id)
            return exists

        if await self._bench.patiently(cancel_if_deleted):
            await self._fail(claimed, _Failure(ErrorClass.TRANSIENT, error.code, error.sentence, ""))

    async def _give_back(self, claimed: Claim) -> None:
        async def give_back() -> None:
            async with self._bench.work() as work:
                await ledger.give_back(work, claimed)

        given_back = await _briefly(give_back())
        log.info("stage.given_back" if given_back else "stage.not_given_back")

    async def _drain(self) -> None:
        for task in [task for task in self._tasks.values() if not task.get_name().startswith(Slot.QUICK)]:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=DRAIN_S)
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=2 * _LAST_WORDS_S)

    async def _upkeep(self) -> None:
        """Take back what crashed, mark what cannot succeed, and clean up."""
        clean_in_s = 0.0
        while True:
            try:
                async with self._bench.work() as work:
                    await ledger.note_worker(work, self.owner)
                    running = [run_id for run_id, _ in self._tasks]
                    await ledger.sweep(work, max_strikes=self._settings.max_strikes, running=running)
                async with self._bench.work() as work:
                    await capture.fail_stuck_recordings(work)
                if clean_in_s <= 0:
                    await self._janitor()
                    clean_in_s = _JANITOR_S
            except LorecastError as error:
                log.warning("worker.upkeep_failed", code=error.code)
            except Exception:
                log.exception("worker.upkeep_failed")
            pause_s = min(_SWEEP_S, self._settings.lease_s / 3)
            clean_in_s -= pause_s
            await asyncio.sleep(pause_s)


async def _briefly(last_words: Coroutine[None, None, None]) -> bool:
    """Say something to the database, but do not wait for it long; returns whether it was taken.

    No time limit that cancels: a cancelled query first waits for the same network to end its connection.
    """
    said = asyncio.create_task(last_words)
    await asyncio.wait([said], timeout=_LAST_WORDS_S)
    if not said.done():
        said.cancel()
        return False
    return not said.cancelled() and said.exception() is None


def empty(scratch: Path) -> None:
    """Remove what an earlier life of this worker left behind."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)


def _failure_of(error: Exception, disk: Path) -> _Failure:
    """What an error of a stage means; `disk` is where the worker keeps its files."""
    code = getattr(error, "code", None)
    if code == "media.disk_full" or (isinstance(error, OSError) and error.errno in DISK_FULL):
        sentence = (
            "The disk on which this worker keeps its work files is full. Your recording is safe in storage."
            f" Whoever runs Lorecast must make room in {disk}; then run this again."
        )
        return _Failure(ErrorClass.TRANSIENT, _DISK_FULL, sentence, getattr(error, "detail", repr(error)))
    if isinstance(error, WorkError):
        kind = ErrorClass.REJECTED if isinstance(error, Rejected) else ErrorClass.TRANSIENT
        return _Failure(kind, error.code, error.sentence, error.detail)
    if isinstance(error, LorecastError):
        kind = ErrorClass.OUTAGE if isinstance(error, Unavailable) else ErrorClass.TRANSIENT
        return _Failure(kind, error.code, error.sentence, repr(error.__cause__))
    log.error("stage.unexpected", exc_info=error)
    sentence = "Something unexpected went wrong in this step. Your recording is safe."
    return _Failure(ErrorClass.TRANSIENT, "work.unexpected", sentence, repr(error))
