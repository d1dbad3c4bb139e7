"""Run one program that cannot outlive the process which asked for it: `infra.processes` starts this file as a script.

    keeper.py PARENT_PID STOP_SIGNAL GRACE_S -- PROGRAM ARGUMENT…

The keeper waits for two things: its program ends, or the parent is gone, however it went (a pidfd on Linux, so it does
not matter which thread of the parent asked). When the parent is gone the program gets STOP_SIGNAL and, GRACE_S later,
SIGKILL. The program is a process group of its own, and the keeper adopts its lost descendants (subreaper), so that
nothing is left when the keeper ends. Should somebody kill the keeper itself, the kernel kills the program
(PR_SET_PDEATHSIG).

TERM, INT, QUIT and HUP are passed on to the program's group; USR2 kills it at once. The exit code is the program's own.
Only the standard library: it starts in a few hundredths of a second, under `python -I -S`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
_LOOK_S = 0.5  # how often to look for a lost parent where there is no pidfd


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _become(argv: list[str], keeper: int) -> None:
    os.setpgid(0, 0)
    for number in (*_PASSED_ON, signal.SIGUSR2, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)
    try:
        os.execvp(argv[0], argv)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(127)


class Keeper:
    """The program, its group, and what is left of both."""

    def __init__(self, argv: list[str]) -> None:
        keeper = os.getpid()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [*_PASSED_ON, signal.SIGUSR2])
        self.pid = os.fork()
        if self.pid == 0:
            _become(argv, keeper)
        self.status: int | None = None
        for number in (*_PASSED_ON, signal.SIGUSR2):
            signal.signal(number, self._on_signal)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.signal_group(signal.SIGKILL if number == signal.SIGUSR2 else number)

    def signal_group(self, number: int) -> None:
        """Signal the program and its group; before its own group exists, the program alone."""
        if self.status is not None:
            return
        try:
            os.killpg(self.pid, number)
        except OSError:
            try:
                os.kill(self.pid, number)
            except OSError:
                return

    def has_ended(self) -> bool:
        """Reap whatever has ended; True when the program is among it."""
        while self.status is None:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.status = 0
                break
            if pid == 0:
                return False
            if pid == self.pid:
                self.status = status
        return True

    def sweep(self) -> None:
        """Kill what the program left behind: its group, and every descendant that came to us."""
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        until = time.monotonic() + 5
        while time.monotonic() < until:
            for child in _children():
                try:
                    os.kill(child, signal.SIGKILL)
                except OSError:
                    continue
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                time.sleep(0.01)


def _children() -> list[int]:
    me = os.getpid()
    try:
        return [int(pid) for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split()]
    except OSError:
        return []


def _watch(keeper: Keeper, parent: int, stop_signal: int, grace_s: float) -> None:
    waker, woken = os.pipe()
    for end in (waker, woken):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    watched = [waker]
    parent_fd = -1
    with contextlib.suppress(AttributeError, OSError):
        parent_fd = os.pidfd_open(parent)
        watched.append(parent_fd)
    kill_at: float | None = None
    while not keeper.has_ended():
        if kill_at is None:
            ready, _, _ = select.select(watched, [], [], _LOOK_S if parent_fd < 0 else None)
            if parent_fd in ready or os.getppid() != parent:
                keeper.signal_group(stop_signal)
                kill_at = time.monotonic() + grace_s
        else:
            select.select([waker], [], [], max(0.0, kill_at - time.monotonic()))
            if time.monotonic() >= kill_at:
                keeper.signal_group(signal.SIGKILL)
                kill_at += 1
        with contextlib.suppress(BlockingIOError):
            os.read(waker, 4096)


def main() -> int:
    """Keep one program; returns its exit code (128 + signal when a signal ended it and we live on)."""
    parent, stop_signal, grace_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != parent:
        return 1
    keeper = Keeper(sys.argv[5:])
    # The program holds its own copies: who reads its output must see the end when it closes them.
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    _watch(keeper, parent, stop_signal, grace_s)
    keeper.sweep()
    status = keeper.status or 0
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return 128 + number
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    raise SystemExit(main())
