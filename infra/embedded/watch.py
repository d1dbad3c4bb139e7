"""Starts a server again that has ended by itself, for as long as the platform runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from infra.embedded.folder import Folder
from infra.embedded.server import Server
from infra.errors import Unavailable

_LOOK_S = 1.0
# One that did not come up is not tried again at once.
_PAUSE_S = 10.0
log = structlog.get_logger()


@dataclass
class Kept:
    """A server as it runs now, and how to start it again."""

    server: Server
    start: Callable[[], Server]

    def stop(self) -> None:
        """End the server that runs now."""
        self.server.stop()


class Watch(threading.Thread):
    """Looks after the servers of one platform."""

    def __init__(self, folder: Folder, servers: Sequence[Kept]) -> None:
        super().__init__(name="platform", daemon=True)
        self._folder = folder
        self._servers = servers
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Look no more; a start that is under way is given up."""
        self._stopping.set()
        self._folder.given_up.set()
        self.join()

    def run(self) -> None:
        """Body of the thread."""
        while not self._stopping.wait(_LOOK_S):
            for kept in self._servers:
                if kept.server.process.poll() is not None:
                    self._start_again(kept)

    def _start_again(self, kept: Kept) -> None:
        log.warning("platform.server_ended", server=kept.server.name, exit_code=kept.server.process.returncode)
        kept.stop()  # what it kept outside its process goes as well
        self._folder.given_up.clear()
        if self._stopping.is_set():
            return
        try:
            kept.server = kept.start()
        except Unavailable as error:
            log.error("platform.server_not_started", server=kept.server.name, sentence=error.sentence)  # noqa: TRY400
            self._stopping.wait(_PAUSE_S)
        else:
            log.warning("platform.server_started_again", server=kept.server.name)
