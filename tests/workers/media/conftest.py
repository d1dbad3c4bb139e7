"""Recordings made for the session, and the sandbox every test uses."""

from __future__ import annotations

import pytest

from tests.fixtures.media import MediaShelf
from workers.media.sandbox import Sandbox, SandboxMode


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> MediaShelf:
    return MediaShelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return Sandbox(SandboxMode.BUBBLEWRAP)
