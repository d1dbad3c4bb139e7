"""`lorecast doctor`, run as people and programs run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LORECAST = Path(sys.executable).with_name("lorecast")


def _doctor(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(LORECAST), "doctor", "--data", str(data), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_program_gets_json_and_nothing_else(tmp_path: Path) -> None:
    ended = _doctor(tmp_path, "--json")
    told = json.loads(ended.stdout)
    assert told["ok"] == all(finding["ok"] for finding in told["findings"] if finding["needed"])
    assert {"ffmpeg", "sandbox", "speech model"} <= {finding["name"] for finding in told["findings"]}
    assert ended.returncode == (0 if told["ok"] else 1)
    assert ended.stderr == ""


def test_a_person_gets_one_line_for_each_thing_and_what_to_do(tmp_path: Path) -> None:
    told = json.loads(_doctor(tmp_path, "--json").stdout)
    lines = _doctor(tmp_path).stdout.splitlines()
    assert len(lines) == len(told["findings"]) + 1
    assert all(f"{finding['name']}: " in line for finding, line in zip(told["findings"], lines, strict=False))
