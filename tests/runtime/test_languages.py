"""The language somebody would like, of those that we speak."""

import pytest

from services.runtime.languages import preferred


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh", "zh-CN"),
        ("fr, zh-TW;q=0.8, en;q=0.5", "zh-CN"),
        ("en-GB", "en"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=x, *", "en"),
    ],
)
def test_the_language_is_the_first_accepted_that_we_speak(accepted: str, language: str) -> None:
    assert preferred(accepted, ("en", "zh-CN")) == language
