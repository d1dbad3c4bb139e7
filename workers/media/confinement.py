"""The command lines that fence a media tool in: bubblewrap, resource limits, and a filter of system calls.

Pure: what is decided here is a list of arguments and a few bytes; `sandbox` runs them.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

INPUTS = "in"
OUTPUT = "out"
"""Inside, inputs are `in/<name>` and the one writable folder is `out`, both relative to the working folder."""

_JOB = "/job"
_NOBODY = "65534"
_TMP_BYTES = 16 << 20
_ADDRESS_SPACE_SLACK_BYTES = 6 << 30
_SYSTEM_FOLDERS = ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin")


@dataclass(frozen=True)
class Limits:
    """What one run may use. All of it is enforced from outside the process."""

    wall_s: float
    """Wall clock, in seconds."""
    no_progress_s: float | None
    """Longest time without a change in ffmpeg's `-progress` report; None when it reports none."""
    memory_bytes: int
    """Private memory (RLIMIT_DATA) and resident set of all its processes together."""
    cpu_s: int
    """CPU time over all threads."""
    output_bytes: int
    """Size of one output file, and of the output folder."""
    processes: int = 128
    """Threads and processes together."""
    open_files: int = 64


def limited(argv: Sequence[str], limits: Limits, *, nice: int, count_processes: bool) -> list[str]:
    """`argv` under resource limits. RLIMIT_AS is generous: every thread reserves a stack and a heap it
    never touches. RLIMIT_NPROC counts a whole user, so it is set only in a user namespace of our own."""
    command = ["nice", "-n", str(nice)] if nice else []
    command += [
        "prlimit",
        f"--as={limits.memory_bytes + _ADDRESS_SPACE_SLACK_BYTES}",
        f"--data={limits.memory_bytes}",
        f"--cpu={limits.cpu_s}:{limits.cpu_s + 1}",
        f"--fsize={limits.output_bytes}",
        f"--nofile={limits.open_files}",
        "--core=0",
    ]
    if count_processes:
        command.append(f"--nproc={limits.processes}")
    return [*command, "--", *argv]


def bubblewrapped(
    argv: Sequence[str], *, inputs: Mapping[str, Path], output: Path | None, seccomp_fd: int | None
) -> list[str]:
    """`argv` in bubblewrap: no network, no capability, no environment, `/usr` and the inputs read-only,
    one folder writable, and gone when the worker is gone. `--as-pid-1`, because only then does bubblewrap wait
    for the tool itself, and its CPU time and memory reach us."""
    command = [
        "bwrap", "--unshare-all", "--unshare-user", "--as-pid-1", "--uid", _NOBODY, "--gid", _NOBODY,
        "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox",
        "--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LC_ALL", "C.UTF-8",
        "--ro-bind", "/usr", "/usr", *_system_folders(),
        "--ro-bind-try", "/etc/alternatives", "/etc/alternatives",
        "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache",
        "--dev-bind", "/dev/null", "/dev/null", "--dev-bind", "/dev/urandom", "/dev/urandom",
        "--size", str(_TMP_BYTES), "--tmpfs", "/tmp",  # noqa: S108 - a fresh one, inside
        "--dir", f"{_JOB}/{INPUTS}",
    ]  # fmt: skip
    for name, path in inputs.items():
        command += ["--ro-bind", str(path.resolve()), f"{_JOB}/{INPUTS}/{name}"]
    if output is not None:
        command += ["--bind", str(output.resolve()), f"{_JOB}/{OUTPUT}"]
    command += ["--remount-ro", "/", "--chdir", _JOB]
    if seccomp_fd is not None:
        command += ["--seccomp", str(seccomp_fd)]
    return [*command, "--", *argv]


def dies_with_parent(argv: Sequence[str]) -> list[str]:
    """`argv` killed by the kernel when the worker dies: what bubblewrap's `--die-with-parent` does."""
    return ["setpriv", "--pdeathsig", "KILL", "--no-new-privs", "--", *argv]


def _system_folders() -> list[str]:
    """`/lib` and its like as this system has them: links into `/usr`, or folders of their own."""
    arguments: list[str] = []
    for folder in map(Path, _SYSTEM_FOLDERS):
        if folder.is_symlink():
            arguments += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            arguments += ["--ro-bind", str(folder), str(folder)]
    return arguments


# --- system calls -------------------------------------------------------------------------------------

_DENIED = {
    # name: (x86_64, aarch64); None where the architecture has no such call
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "fork": (57, None), "vfork": (58, None),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430), "fsmount": (432, 432),
    "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "personality": (135, 92),
}  # fmt: skip
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_CLONE_THREAD = 0x00010000
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_ERRNO_EPERM, _ERRNO_ENOSYS = 0x00050000 | 1, 0x00050000 | 38
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_X32_BIT = 0x40000000


def seccomp_program(machine: str | None = None) -> bytes | None:
    """A classic BPF program that refuses sockets, tracing, mounting, keys, io_uring and new processes.

    Threads stay possible: `clone` passes with CLONE_THREAD only, and `clone3`, whose flags a filter cannot
    see, answers ENOSYS so that the C library falls back to `clone`. None on other machines than x86_64
    and aarch64. See seccomp(2) and linux/filter.h.
    """
    known = _ARCHITECTURES.get(machine or platform.machine())
    if known is None:
        return None
    column, architecture = known
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
    ]
    for numbers in _DENIED.values():
        number = numbers[column]
        if number is not None:
            program += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO_EPERM)]
    program += [
        (_JUMP_EQUAL, 0, 1, _CLONE3[column]),
        (_RETURN, 0, 0, _ERRNO_ENOSYS),
        (_JUMP_EQUAL, 0, 3, _CLONE[column]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_SET, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, _ERRNO_EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
