"""Child processes that cannot outlive their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from infra.processes import spawn, stop

ROOT = Path(__file__).resolve().parents[2]
ENV = {"PATH": os.environ["PATH"]}

# A parent that starts a stubborn child with a child and a daemonised grandchild of its own, then waits.
PARENT = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from infra.processes import spawn
spawn(["sh", "-c", "trap '' TERM; setsid sleep 600 & sleep 600; sleep 600"], env=os.environ, orphan_grace_s=0.3)
time.sleep(600)
"""


def descendants(pid: int, at_least: int) -> list[psutil.Process]:
    """The processes below one, once there are enough of them."""
    until = time.monotonic() + 10
    while len(found := psutil.Process(pid).children(recursive=True)) < at_least:
        assert time.monotonic() < until, found
        time.sleep(0.02)
    return found


def still_running(processes: list[psutil.Process], within_s: float) -> list[psutil.Process]:
    """Those of the processes that have not ended after so many seconds; a zombie has ended."""
    until = time.monotonic() + within_s
    while left := [process for process in processes if is_alive(process)]:
        if time.monotonic() > until:
            break
        time.sleep(0.02)
    return left


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_exit_code_is_the_childs_and_its_words_are_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    log.write_text("before\n")
    child = spawn(["sh", "-c", "echo to-out; echo to-err >&2; exit 7"], env=ENV, log=log)
    assert child.wait(10) == 7
    assert log.read_text() == "before\nto-out\nto-err\n"


def test_input_and_output_flow_through_and_the_end_of_output_is_seen() -> None:
    child = spawn(["cat"], env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = child.communicate(b"x" * 100_000, timeout=10)
    assert out == b"x" * 100_000
    assert child.returncode == 0


def test_a_program_that_is_not_there_exits_127_and_says_so(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    assert spawn(["/no/such/program"], env=ENV, log=log).wait(10) == 127
    assert "/no/such/program: No such file" in log.read_text()


def test_the_child_gets_the_environment_it_was_given_and_no_other(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    spawn([sys.executable, "-c", "import os; print(sorted(os.environ))"], env={"ONE": "1"}, log=log).wait(10)
    assert "'ONE'" in log.read_text()
    assert "PATH" not in log.read_text()


def test_a_child_ends_at_the_first_signal() -> None:
    child = spawn(["sleep", "600"], env=ENV)
    below = descendants(child.pid, 1)
    assert stop(child, grace_s=10) == -signal.SIGTERM
    assert still_running(below, 1) == []


def test_a_stubborn_child_is_killed_with_all_that_descends_from_it() -> None:
    child = spawn(["sh", "-c", "trap '' TERM; setsid sleep 600 & sleep 600; sleep 600"], env=ENV)
    below = descendants(child.pid, 3)
    assert stop(child, grace_s=0.2) == -signal.SIGKILL
    assert still_running(below, 1) == []


def test_what_a_child_leaves_behind_is_killed_when_it_ends() -> None:
    child = spawn(["sh", "-c", "setsid sleep 600 & sleep 0.3"], env=ENV)
    below = descendants(child.pid, 3)
    assert child.wait(10) == 0
    assert still_running(below, 1) == []


def test_stopping_what_has_ended_is_no_error() -> None:
    child = spawn(["true"], env=ENV)
    child.wait(10)
    assert stop(child, grace_s=1) == 0


def test_nothing_outlives_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(ROOT)])
    below = descendants(parent.pid, 4)
    parent.kill()
    parent.wait()
    assert still_running(below, 5) == []


def test_the_program_does_not_outlive_a_keeper_that_is_killed() -> None:
    child = spawn(["sleep", "600"], env=ENV)
    below = descendants(child.pid, 1)
    child.kill()
    child.wait()
    assert still_running(below, 2) == []


def test_a_child_outlives_the_thread_that_started_it() -> None:
    started: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: started.append(spawn(["sleep", "600"], env=ENV)))
    thread.start()
    thread.join()
    below = descendants(started[0].pid, 1)
    assert still_running(below, 0.5) == below
    stop(started[0], grace_s=5)


def test_a_held_lock_is_free_only_when_everything_has_ended(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    child = spawn(["sleep", "600"], env=ENV, held=[write_end])
    os.close(write_end)
    os.set_blocking(read_end, False)
    try:
        os.read(read_end, 1)
    except BlockingIOError:
        is_held = True
    else:
        is_held = False
    stop(child, grace_s=5)
    assert is_held
    assert os.read(read_end, 1) == b""
    os.close(read_end)
