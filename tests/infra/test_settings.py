"""Settings: wrong ones are refused by name, and the document lists them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import settings
from infra.errors import Misconfigured
from infra.settings import UploadSettings, WebSettings

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def test_a_wrong_value_is_refused_with_the_name_of_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORECAST_PORT", "eighty")
    with pytest.raises(Misconfigured, match="LORECAST_PORT"):
        settings.load(WebSettings)


def test_a_setting_that_nobody_reads_is_refused_with_its_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORECAST_PRT", "8001")
    with pytest.raises(Misconfigured, match=r"LORECAST_PRT\. Did you mean LORECAST_PORT\?"):
        settings.load(UploadSettings)


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORECAST_PORT", "8001")
    assert settings.load(WebSettings, port=8002).port == 8002
    assert settings.load(WebSettings, port=None).port == 8001


def test_operations_lists_every_setting_with_its_default_and_nothing_else() -> None:
    rows = [line.split("|") for line in OPERATIONS.read_text().splitlines() if line.startswith("| `LORECAST_")]
    listed = {row[1].strip().strip("`"): (row[2].strip(), row[3].strip()) for row in rows}
    expected = {}
    for name, kind in settings.setting_names().items():
        field = kind.model_fields[name.removeprefix(settings.PREFIX).lower()]
        expected[name] = (settings.shown_default(field.default), field.description)
    assert listed == expected


def test_no_setting_has_two_classes() -> None:
    fields = [field for kind in settings.ALL for field in kind.model_fields]
    assert len(fields) == len(set(fields))
