"""Starting one server of the platform and waiting until it answers."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra import processes
from infra.embedded.folder import Folder
from infra.errors import Unavailable

_PASSED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "TZ")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a server needs of our environment; no setting or secret of Lorecast is among it."""
    kept = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", **kept, **(extra or {})}


@dataclass(frozen=True)
class Server:
    """A running server and how it likes to be stopped."""

    name: str
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals
    grace_s: float
    afterwards: Callable[[], None]

    def stop(self) -> None:
        """End it: gently, then by force."""
        processes.stop(self.process, grace_s=self.grace_s, stop_signal=self.stop_signal)
        self.afterwards()


def start(
    name: str,
    argv: Sequence[str | Path],
    *,
    folder: Folder,
    answers: Callable[[], bool],
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    grace_s: float = 10.0,
    wait_s: float = 60.0,
    afterwards: Callable[[], None] = lambda: None,
) -> Server:
    """Start a server and wait until `answers()`; `stdin` is given to it and closed, `afterwards` runs at its end.

    Raises Unavailable with the end of its log (`logs/<name>.log`), leaving nothing behind.
    """
    log = folder.log(name.lower())
    log_start = log.stat().st_size if log.exists() else 0
    process = processes.spawn(
        argv,
        env=environment(env),
        log=log,
        cwd=cwd,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stop_signal=stop_signal,
        held=[folder.lock_fd],
    )
    server = Server(name, process, stop_signal, grace_s, afterwards)
    try:
        if process.stdin is not None:
            process.stdin.write(stdin or b"")
            process.stdin.close()
        if trouble := _wait(process, answers, wait_s, folder.given_up):
            raise failed(name, trouble, log, log_start)  # noqa: TRY301
    except BaseException:
        server.stop()
        raise
    return server


def _wait(
    process: subprocess.Popen[bytes], answers: Callable[[], bool], wait_s: float, given_up: threading.Event
) -> str | None:
    """Wait until it answers; what went wrong when it does not."""
    until = time.monotonic() + wait_s
    while not answers():
        if process.poll() is not None:
            return f"ended at once (exit code {process.returncode})"
        if time.monotonic() > until:
            return f"did not answer within {wait_s:.0f} seconds"
        if given_up.wait(0.03):
            return "was not waited for, because the start was given up"
    return None


def failed(name: str, what: str, log: Path, log_start: int = 0) -> Unavailable:
    """The error of a server that did not start: one sentence, then the last lines it wrote."""
    with log.open("rb") as lines:
        lines.seek(max(log_start, log.stat().st_size - 4000))
        last = lines.read().decode(errors="replace").strip().splitlines()[-8:]
    said = "".join(f"\n    {line[:300]}" for line in last) or " nothing."
    return Unavailable(
        f"{name} {what}. The data is safe. Its log is {log}; it says:{said}",
        code="unavailable.platform",
    )
