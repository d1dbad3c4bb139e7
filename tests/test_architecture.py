"""The shape of the code: import rules, sizes, and documents that say what is true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from capture import states as capture_states
from learn import states as learn_states
from review import states as review_states
from workers import pipeline

ROOT = Path(__file__).parents[1]
FOLDERS = ("accounts", "api", "capture", "cli", "infra", "learn", "review", "web", "workers", "tests", "samples")
MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 40


def _files(*suffixes: str) -> Iterator[Path]:
    # Revisions are history: they are written once and never read as a whole.
    tracked = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        path = ROOT / name
        if path.suffix in suffixes and path.exists() and "migrations/versions" not in name:
            yield path


def test_imports_point_one_way() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in _files(".py", ".ts", ".css", ".html")
        if (count := len(path.read_text().splitlines())) > MOST_FILE_LINES
    }
    assert not long


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": count
        for path in _files(".py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (count := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_FUNCTION_LINES
    }
    assert not long


def test_every_stage_waits_for_a_stage_that_exists_or_for_a_person() -> None:
    names = [stage.name for stage in pipeline.STAGES]
    assert len(set(names)) == len(names)
    assert all(stage.after is None or stage.after in names[: names.index(stage.name)] for stage in pipeline.STAGES)
    assert set(names) - {"publish", "index"} == pipeline.UNTIL_REVIEW


def test_the_flow_document_draws_every_stage_and_every_state() -> None:
    flow = (ROOT / "docs" / "flow.md").read_text()
    stages = {stage.name for stage in pipeline.STAGES}
    tables = (capture_states.NEXT, review_states.NEXT, learn_states.NEXT)
    states = {state.value for state in chain.from_iterable(tables)}
    missing = {word for word in stages | states if not re.search(rf"\b{word}\b", flow)}
    assert not missing


def test_every_allowed_step_of_a_state_is_in_the_flow_document() -> None:
    flow = (ROOT / "docs" / "flow.md").read_text()
    for name, table in (
        ("recording", capture_states.NEXT),
        ("submission", review_states.NEXT),
        ("lesson", learn_states.NEXT),
    ):
        section = flow.split(f"### {name}", 1)[1].split("###", 1)[0]
        drawn = set(re.findall(r"^- `(\w+)` → `(\w+)`", section, re.MULTILINE))
        allowed = {(str(now), str(to)) for now, following in table.items() for to in following}
        assert drawn == allowed, name
