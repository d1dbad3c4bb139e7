"""Named places where a test kills this very process, to show that nothing is lost there.

`LORECAST_FAILPOINT=name` arms one, `name:ID` for one recording alone; without it a failpoint costs one look-up.
"""

from __future__ import annotations

import os
import signal
from uuid import UUID


def failpoint(name: str, recording_id: UUID) -> None:
    """Kill this process without warning when `name` is armed for this recording."""
    if os.environ.get("LORECAST_FAILPOINT") in {name, f"{name}:{recording_id}"}:
        os.kill(os.getpid(), signal.SIGKILL)
