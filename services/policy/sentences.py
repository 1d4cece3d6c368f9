"""An explanation in sentences that a borrower or a judge can read; the words are data."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from babel.dates import format_datetime, get_timezone_name

from services.policy.trace import Heard, Said
from services.policy.verdict import Answer

LANGUAGES = ("en", "zh-CN")
# More zones than these are those of a whole country: naming each would say nothing.
_ZONES = 3


@cache
def words_of(language: str) -> dict[str, Any]:
    """The sentences of one of LANGUAGES, with what is to be filled in between braces."""
    text = files("services.policy").joinpath("sentences", f"{language}.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


class Speaker:
    """Says things in one language, with times on the clocks of the zones where the person may be.

    Without a zone, or with more than three, times are in UTC and say so and why: zones None is
    no word on zones, empty is that nobody knows the person's.
    """

    def __init__(self, language: str, zones: Sequence[str] | None) -> None:
        self._words = words_of(language)
        self._zones = None if zones is None else [ZoneInfo(zone) for zone in dict.fromkeys(zones)]

    def say(self, *path: str, **filled: object) -> str:
        """One sentence of the file."""
        template: Any = self._words
        for key in path:
            template = template[key]
        return str(template).format(**filled)

    def reason(self, code: str) -> str:
        """Why, by the code of the reason."""
        known = code if code in self._words["codes"] else "other"
        return self.say("codes", known, code=code)

    def channel(self, channel: str) -> str:
        return str(self._words["channels"].get(channel, channel))

    def recipient(self, recipient: str) -> str:
        return self.say("recipients", recipient)

    def quoted(self, titles: Sequence[str]) -> str:
        """`“a”, “b” and “c”`: a title that is a sentence is not taken for one of ours."""
        return self.several([self.say("quoted", text=title) for title in titles])

    def several(self, texts: Sequence[str]) -> str:
        """`a, b and c`."""
        if len(texts) < 2:
            return "".join(texts)
        first = self._words["comma"].join(texts[:-1])
        return self.say("and", first=first, last=texts[-1])

    def when(self, instant: datetime) -> str:
        """The date, the time and the name of the zone; in each zone, if they are few."""
        locale: str = self._words["locale"]
        if not self._zones or len(self._zones) > _ZONES:
            shown = format_datetime(instant.astimezone(UTC), self._words["instant"], locale=locale)
            if self._zones is None:
                return self.say("in_utc", instant=shown)
            said_of = "many_zones" if self._zones else "nobody_knows_zone"
            return self.say(said_of, instant=shown, count=len(self._zones))
        said = []
        for zone in self._zones:
            local = instant.astimezone(zone)
            said.append(
                self.say(
                    "in_zone",
                    instant=format_datetime(local, self._words["instant"], locale=locale),
                    zone=get_timezone_name(local, locale=locale),
                    name=zone.key,
                )
            )
        return str(self._words["comma"]).join(said)

    def objections(self, answer: Answer, titles: dict[str, str]) -> list[str]:
        """What each objecting rule said about one channel; or that none did."""
        channel = self.channel(answer.channel)
        if answer.outcome == "allow":
            return [self.say("permitted", channel=channel)]
        lines = []
        for reason in answer.reasons:
            if reason.rule is None:
                lines.append(self.reason(reason.code))
                continue
            said = self.say(
                "objection",
                channel=channel,
                reason=self.reason(reason.code),
                title=titles.get(reason.rule) or reason.rule,
                rule=reason.rule,
                cite="; ".join(reason.cite),
            )
            if reason.until is not None:
                said = f"{said} {self.say('until', until=self.when(reason.until))}"
            else:
                said = f"{said} {self.say('never')}"
            lines.append(said)
        return lines

    def counted(self, channel: str, heard: Sequence[Heard]) -> str:
        """How many rules were asked, and what they answered."""
        answers = [each.answer for each in heard]
        others = answers.count(Said.OUT_OF_SCOPE) + answers.count(Said.NOT_IN_FORCE)
        return self.say(
            "asked_rules",
            channel=self.channel(channel),
            asked=len(answers),
            content=answers.count(Said.CONTENT) + answers.count(Said.WARNS),
            objecting=answers.count(Said.DEFERS) + answers.count(Said.SUPPRESSES),
            lifted=answers.count(Said.LIFTED),
            others=others,
        )
