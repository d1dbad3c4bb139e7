"""A worker process: proves its sandbox, loads its model, and works until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from pathlib import Path

import structlog

from capture.uploads import drop_expired
from infra import settings as configuration
from infra.connections import Connections, connected
from infra.queue import listen
from infra.settings import LogSettings, PlatformSettings, SpeechSettings, WorkSettings
from infra.telemetry import configure_logs
from infra.tracing import configure_traces, flush_traces
from workers.media.sandbox import Sandbox
from workers.media.weights import resolve
from workers.media.whisper import Whisper
from workers.runner import Runner, empty
from workers.workbench import Workbench

log = structlog.get_logger()
# Connections are closed within 3 s where the network answers, and traces are sent within 5 s.
_LEAVE_WITHIN_S = 8.0


async def run() -> None:
    """Work until SIGTERM or SIGINT. Raises Misconfigured when the machine is not fit for it."""
    platform = configuration.load(PlatformSettings)
    work = configuration.load(WorkSettings)
    speech = configuration.load(SpeechSettings)
    telemetry = configuration.load(LogSettings)
    configure_logs(telemetry, process="worker")
    configure_traces(telemetry, process="worker")
    sandbox = Sandbox(work.sandbox)
    await sandbox.prove()
    scratch = (work.scratch or platform.data / "scratch").absolute() / f"worker-{os.getpid()}"
    _clear_leftovers(scratch.parent)
    empty(scratch)
    model = await asyncio.to_thread(resolve, speech.whisper_model, platform.data.absolute() / "models")
    whisper = Whisper(model, name=speech.whisper_model, threads=speech.whisper_threads, beam=speech.whisper_beam)
    async with connected(platform) as connections:
        bench = Workbench(
            database=connections.database,
            bell=connections.bell,
            storage=connections.storage,
            sandbox=sandbox,
            whisper=whisper,
            settings=work,
            scratch=scratch,
        )
        await _work(bench, connections)
        empty(scratch)
        scratch.rmdir()
    await asyncio.to_thread(flush_traces)


async def _work(bench: Workbench, connections: Connections) -> None:
    async def janitor() -> None:
        async with bench.work() as unit:
            await drop_expired(unit, bench.storage)

    runner = Runner(bench, database_url=connections.database.url, janitor=janitor)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, runner.drain)
    doorbell = asyncio.create_task(listen(connections.valkey_url, runner.ring))
    # Loading takes seconds, so it starts with the worker and not with the first clip.
    model = asyncio.create_task(bench.whisper.start())
    log.info("worker.ready", owner=runner.owner)
    try:
        await runner.run()
    finally:
        for task in (doorbell, model):
            task.cancel()
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await asyncio.gather(doorbell, model, return_exceptions=True)
        await bench.whisper.stop()
        log.info("worker.stopped")
        _leave_soon()


def _leave_soon() -> None:
    """All is given back and every child has ended; a network that does not answer must not hold us any longer."""
    leave = threading.Timer(_LEAVE_WITHIN_S, os._exit, [0])
    leave.daemon = True
    leave.start()


def _clear_leftovers(folder: Path) -> None:
    """Remove the scratch folders of workers that are no more."""
    for left in folder.glob("worker-*"):
        pid = left.name.removeprefix("worker-")
        if not (pid.isdecimal() and Path(f"/proc/{pid}").exists()):
            empty(left)
            left.rmdir()
