"""A process that runs the platform over the folder it is given, says where, and waits: `platform_child.py FOLDER`.

Run by the tests that kill it, or run it as somebody else.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from infra.embedded import running_platform
from infra.settings import PlatformSettings

if __name__ == "__main__":
    # A shell starts what it puts in the background with SIGINT ignored, and that is inherited from the test run.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with running_platform(Path(sys.argv[1]), given=PlatformSettings()) as endpoints:
        print(json.dumps(dataclasses.asdict(endpoints)), flush=True)
        sys.stdin.read()
