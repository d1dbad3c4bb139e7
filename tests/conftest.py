"""What every test can ask for. The fixtures are in `fixtures/`, ready-made rows in `builders.py`."""

from tests.fixtures.network import keep_to_this_machine

keep_to_this_machine()

pytest_plugins = [
    "tests.fixtures.clips",
    "tests.fixtures.disk",
    "tests.fixtures.platform",
    "tests.fixtures.database",
    "tests.fixtures.web",
    "tests.fixtures.workers",
    "tests.fixtures.running",
]
