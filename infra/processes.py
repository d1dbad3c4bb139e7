"""Child processes that always die with their parent, even when the parent is killed with SIGKILL.

Every child has a keeper (`infra/keeper.py`), a tiny process that ends the child, gently first, as soon as the parent is
gone. The returned Popen is the keeper: its exit code is the child's, and signals sent to it reach the child's group.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TypeAlias

_KEEPER = Path(__file__).with_name("keeper.py")

Stream: TypeAlias = "int | IO[bytes] | None"


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    log: Path | None = None,
    cwd: Path | None = None,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    orphan_grace_s: float = 5.0,
    held: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program that cannot outlive this process.

    `log` is appended to and takes both outputs; without it they go to `stdout` and `stderr` (inherited by default).
    Should this process die, the program gets `stop_signal` and, `orphan_grace_s` seconds later, SIGKILL, with all that
    descends from it. `held` are open descriptors that stay open exactly as long as anything of it is left (a lock).
    May be called from any thread. Raises OSError when the log cannot be written; a program that cannot be started
    exits with 127 and says why on its error output.
    """
    command = [sys.executable, "-I", "-S", str(_KEEPER), str(os.getpid()), str(int(stop_signal))]
    command += [str(orphan_grace_s), "--", *map(str, argv)]
    sink = log.open("ab") if log else None
    try:
        return subprocess.Popen(
            command,
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=sink or stdout,
            stderr=subprocess.STDOUT if sink else stderr,
            start_new_session=True,
            pass_fds=held,
        )
    finally:
        if sink:
            sink.close()


def stop(process: subprocess.Popen[bytes], *, grace_s: float, stop_signal: signal.Signals = signal.SIGTERM) -> int:
    """End a process made by `spawn`: `stop_signal` to its group, SIGKILL after `grace_s` seconds.

    Returns the exit code, negative when a signal ended it. One that has ended already is no error.
    """
    if process.poll() is None:
        process.send_signal(stop_signal)
    try:
        return process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGUSR2)
    try:
        return process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def share_less(pid: int, niceness: int) -> None:
    """Let a whole session of processes yield to others (niceness 1 to 19), where the system can.

    Linux gives every session the same share of the processor, however nice its processes are, unless the session
    itself is (autogroups, sched(7)). Where there are none, the niceness of the process alone counts.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness))
