"""What `lorecast search` says to a person."""

from __future__ import annotations

import pytest

from cli.client import print_answer


def test_a_question_without_an_answer_leads_to_the_page_that_asks_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_answer({"query": "wie & wo?", "answered": False, "hits": []}, "http://lore.example")
    assert capsys.readouterr().out.strip().endswith("Ask for it: http://lore.example/search?q=wie+%26+wo%3F")
