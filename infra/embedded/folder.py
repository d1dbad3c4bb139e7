"""The data folder of the embedded platform: who uses it, its secrets and its ports.

lock           held by the process that uses the folder, and by its servers until the last has ended; holds its pid
secrets.json   passwords and keys, made once, readable by the owner alone
ports.json     the ports of the servers, kept while they are free
logs/          one log a server
postgres/ valkey/ seaweedfs/   what the servers keep
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from infra.errors import Misconfigured

# Below the ports that Linux hands out to outgoing connections (32768 and up), so that nobody takes one by accident.
_PORTS = range(20000, 32000)
_LEFTOVER_WAIT_S = 20.0


@dataclass(frozen=True)
class Secrets:
    """What protects the servers from other users of the machine."""

    postgres_admin: str
    postgres: str
    valkey: str
    s3_access_key: str
    s3_secret_key: str
    seaweedfs: str


@dataclass(frozen=True)
class Folder:
    """A data folder that this process has for itself while `opened`. `given_up` ends what is still starting in it."""

    path: Path
    lock_fd: int
    secrets: Secrets
    given_up: threading.Event = field(default_factory=threading.Event)

    def part(self, name: str) -> Path:
        """The folder of one server, made when missing."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def log(self, name: str) -> Path:
        """The log of one server, started anew when it has grown beyond 8 MB."""
        log = self.part("logs") / f"{name}.log"
        if log.exists() and log.stat().st_size > 8 * 1024**2:
            log.replace(log.with_suffix(".old.log"))
        return log

    def ports(self, names: Sequence[str]) -> dict[str, int]:
        """A free port of 127.0.0.1 for each name: the one of last time, or a new one where that is taken."""
        file = self.path / "ports.json"
        known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        chosen = {name: known[name] for name in names if name in known and _is_free(known[name])}
        for name in names:
            if name not in chosen:
                chosen[name] = _free_port(taken={*known.values(), *chosen.values()})
        _write(file, {**known, **chosen})
        return chosen

    def has_lost_a_port(self, names: Sequence[str]) -> bool:
        """Whether somebody listens on one of our ports, now that no server of ours runs."""
        known: dict[str, int] = json.loads((self.path / "ports.json").read_text())
        return not all(_is_free(known[name]) for name in names)


@contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """Take a data folder (made when missing, mode 0700) for this process alone. Raises Misconfigured."""
    path = path.expanduser().resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        lock_fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from error
    try:
        owner = os.fstat(lock_fd).st_uid
        if owner != os.geteuid():  # root might open it, and leave files there that the owner cannot use
            raise _unusable(path, f"it is the data of another user (number {owner})")
        _lock(path, lock_fd)
        os.ftruncate(lock_fd, 0)
        os.pwrite(lock_fd, f"{os.getpid()}\n".encode(), 0)
        yield Folder(path, lock_fd, _secrets(path))
    finally:
        os.close(lock_fd)


def _unusable(path: Path, why: str) -> Misconfigured:
    return Misconfigured(
        f"The data folder {path} cannot be used: {why}. Nothing was started. "
        "Choose another one with --data or LORECAST_DATA.",
        code="misconfigured.data_folder",
    )


def _lock(path: Path, lock_fd: int) -> None:
    until = time.monotonic() + _LEFTOVER_WAIT_S
    while True:
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock_fd, 32, 0).decode().strip()
            # The servers of a process that was killed hold the lock until they have ended.
            if (holder and _is_running(int(holder))) or time.monotonic() > until:
                raise Misconfigured(
                    f"The data folder {path} is in use by the process {holder or 'that is just starting'}. "
                    "Its data is safe, nothing was started. Stop that process, or choose another folder with --data.",
                    code="misconfigured.data_folder_in_use",
                ) from None
            time.sleep(0.1)
        else:
            return


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # A killed process whose parent has not asked for it yet holds nothing.
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return True


def _secrets(path: Path) -> Secrets:
    file = path / "secrets.json"
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    made = {name: secrets.token_urlsafe(24) for name in Secrets.__dataclass_fields__}
    result = Secrets(**{**made, **known})
    if asdict(result) != known:
        _write(file, asdict(result))
    return result


def _write(file: Path, content: object) -> None:
    """Replace a small file in one step, readable by the owner alone."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(content, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)


def _free_port(*, taken: set[int]) -> int:
    for port in random.sample(_PORTS, 500):
        if port not in taken and _is_free(port):
            return port
    raise Misconfigured(
        f"No free port between {_PORTS.start} and {_PORTS.stop} on 127.0.0.1. Nothing was started.",
        code="misconfigured.no_port",
    )


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections of last time that linger are no obstacle; a listener is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
