"""`make bench`: every figure that exists, as tables and as JSON in build/bench.json.

python -m tests.bench [--only pipeline|words|chapters|search]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import chapters, pipeline, search, words

OUT = Path(__file__).parents[2] / "build" / "bench.json"


def _chapters() -> Any:
    return {title: {name: asdict(one) for name, one in rows.items()} for title, rows in chapters.compare().items()}


def _printed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    search.print_table(rows)
    return rows


def _search() -> Any:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run([sys.executable, "-m", "tests.bench.search", "--json", file.name], check=True)
        found: dict[str, Any] = json.loads(Path(file.name).read_text())
    return {name: rows for name, rows in found.items() if name != "queries"}


PARTS: dict[str, Callable[[], Any]] = {
    "pipeline": lambda: _printed(pipeline.measure()),
    "words": lambda: _printed(asyncio.run(words.measure())),
    "chapters": _chapters,
    "search": _search,
}


def main() -> None:
    """Run the parts, print them, and keep them as JSON."""
    given = argparse.ArgumentParser(description="Speed and accuracy, measured.")
    given.add_argument("--only", choices=list(PARTS))
    only = given.parse_args().only
    found: dict[str, Any] = json.loads(OUT.read_text()) if OUT.exists() else {}
    for name, measure in PARTS.items():
        if only in {None, name}:
            load = os.getloadavg()[0]
            print(f"\n## {name}  ({os.cpu_count()} cores, load {load:.1f} at the start)\n")
            now = datetime.now(UTC).isoformat(timespec="seconds")
            found[name] = {"at": now, "machine": platform.machine(), "load": load, "figures": measure()}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1))
    print(f"\nAll of it as JSON: {OUT}")


if __name__ == "__main__":
    main()
