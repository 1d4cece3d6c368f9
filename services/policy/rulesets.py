"""The rules that hold for a borrower: the packs of the place that the tenant has active."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

from services.policy import jurisdictions
from services.policy.jurisdictions import Place, Places
from services.policy.known import Row
from services.policy.lookback import SHORTEST, look_back
from services.policy.pack import Pack, PackError, hash_of, load_text
from services.policy.ruleset import RuleSet, compile_rules
from services.runtime import log

PackVersion = tuple[str, str]  # pack id, hash of its text

# Asked of everybody beside the packs that are active.
ALWAYS = Path(__file__).with_name("always.yaml")
ALWAYS_ID = "always"

# What a tenant has active, one version a pack.
Active = Sequence[PackVersion]


class RulesUnreadable(Exception):
    """An active pack can't be read, or the packs don't go together: hold, and tell a person."""


class RuleSets:
    """Packs as they were approved, and the rule sets compiled of them.

    A text is named by its hash, so a set that can't be compiled never can: it is refused at once.
    `always` is the text asked of everybody; without one the shipped.
    """

    def __init__(self, places: Places, always: str | None = None) -> None:
        self._places = places
        text = ALWAYS.read_text(encoding="utf-8") if always is None else always
        self.always: PackVersion = (ALWAYS_ID, hash_of(text))
        self._texts: dict[PackVersion, str] = {self.always: text}
        self._packs: dict[PackVersion, Pack] = {}
        self._read(self.always)  # a wrong one stops the start
        self._compiled: dict[tuple[PackVersion, ...], RuleSet | RulesUnreadable] = {}
        self._backs: dict[PackVersion, timedelta] = {}
        self._contents: dict[str, dict[str, str]] = {}
        self._governing: dict[tuple[object, ...], tuple[PackVersion, ...]] = {}

    def lacks(self, version: PackVersion) -> bool:
        """Whether the text of this pack has not been given yet."""
        return version not in self._texts

    def give(self, version: PackVersion, text: str) -> None:
        """The text of a pack, which its hash names."""
        self._texts[version] = text

    def for_borrower(self, borrower: Row, active: Active) -> RuleSet | None:
        """The rule set, or None when no pack of the borrower's place is active.

        Raises RulesUnreadable.
        """
        place = (borrower["country"], borrower["subdivision"], borrower["city"])
        packs = self._govern(place, tuple(active))
        return self.of(packs) if packs else None

    def of(self, packs: tuple[PackVersion, ...]) -> RuleSet:
        """These packs and what is always asked, as one rule set: today's text of it, unless the
        packs name another.  Raises RulesUnreadable.
        """
        found = self._compiled.get(packs)
        if found is None:
            found = self._compile(packs)
            if not any(self.lacks(version) for version in packs):
                self._compiled[packs] = found
        if isinstance(found, RulesUnreadable):
            raise found
        return found

    def _compile(self, packs: tuple[PackVersion, ...]) -> RuleSet | RulesUnreadable:
        named = dict((self.always, *packs))
        try:
            made = compile_rules([self._read(version) for version in named.items()])
        except Exception as error:
            names = [pack for pack, _ in packs]
            log.get().error("rules_unreadable", packs=names, error=type(error).__name__)
            return RulesUnreadable(str(error) if isinstance(error, PackError) else "no text")
        self._contents[made.version] = named
        return made

    def unreadable(self, active: Active) -> dict[str, str]:
        """Where, and why, borrowers would be held for these packs: by a place of each set of them
        that is asked together, and by "" if all can't be read as one.
        """
        packs = tuple(active)
        asked = {
            jurisdictions.named(*place): self._govern(place, packs)
            for place in jurisdictions.everywhere(self._places)
        }
        found = {}
        for place, together in {"": packs, **asked}.items():
            try:
                if together:
                    self.of(together)
            except RulesUnreadable as error:
                found[place] = str(error)
        return found

    def contents(self, version: str) -> dict[str, str]:
        """Pack id → hash, of a rule set that was compiled here; what is always asked is one."""
        return self._contents[version]

    def look_back(self, active: Iterable[Active]) -> timedelta:
        """How far back the rules of these packs count; one that can't be read counts nothing."""
        return max((self._back(version) for each in active for version in each), default=SHORTEST)

    def _back(self, version: PackVersion) -> timedelta:
        found = self._backs.get(version)
        if found is None:
            try:
                found = look_back([self._read(version)])
            except (KeyError, PackError):
                return SHORTEST
            self._backs[version] = found
        return found

    def text(self, version: PackVersion) -> str:
        """The text of a pack that was given."""
        return self._texts[version]

    def _read(self, version: PackVersion) -> Pack:
        if version not in self._packs:
            self._packs[version] = load_text(self._texts[version], f"{version[0]}.yaml")
        return self._packs[version]

    def _govern(self, place: Place, active: tuple[PackVersion, ...]) -> tuple[PackVersion, ...]:
        """Sorted: the same packs are the same rule set in any order."""
        packs = self._governing.get((*place, active))
        if packs is None:
            versions = dict(active)
            asked = jurisdictions.asked(self._places, versions, *place)
            packs = tuple(sorted((pack, versions[pack]) for pack in asked))
            if len(self._governing) > 10_000:  # places are few, but a lender may send nonsense
                self._governing.clear()
            self._governing[(*place, active)] = packs
        return packs
