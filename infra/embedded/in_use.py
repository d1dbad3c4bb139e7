"""Finding the database of a platform that another process runs."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

from infra.embedded import postgres
from infra.errors import Misconfigured


def database_in_use(data: Path) -> str | None:
    """Address of the embedded database in the folder `data`; None when nobody runs it.

    Raises Misconfigured when somebody does, but this user may not read how to get in.
    """
    data = data.expanduser()
    try:
        if not _is_locked(data / "lock"):
            return None
        password = json.loads((data / "secrets.json").read_text())["postgres"]
        port = json.loads((data / "ports.json").read_text())["postgres"]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Misconfigured(
            f"The data folder {data} cannot be read: {error.strerror}. Nothing was changed."
            " Run this as the user who runs Lorecast, or choose another folder with --data.",
            code="misconfigured.data_folder",
        ) from error
    return f"postgresql+asyncpg://{postgres.DATABASE}:{password}@127.0.0.1:{port}/{postgres.DATABASE}"


def _is_locked(lock: Path) -> bool:
    with lock.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
