"""On whose word a stop ends.

`borrower`: the borrower or whoever speaks for them; `officer`: a named person at the lender who
looked at it; `lender`: the lender's own system, which began it and knows when it is over.
"""

from services.policy.words import Lifter, StopKind

# What a person said is not taken back by a program.  An officer may end any stop, with a reference
# to why: some are recorded by mistake.
_SAID: tuple[Lifter, ...] = ("borrower", "officer")
_FOUND: tuple[Lifter, ...] = ("officer",)
_SCHEME: tuple[Lifter, ...] = ("officer", "lender")
_AGREED: tuple[Lifter, ...] = ("borrower", "officer", "lender")

MAY_LIFT: dict[StopKind, tuple[Lifter, ...]] = {
    "opt_out": _SAID,
    "cease": _SAID,
    "refusal_to_pay": _SAID,
    "attorney": _SAID,
    "representative": _SAID,
    "dispute": _SAID,
    "complaint": _SAID,
    "no_work_contact": _SAID,
    "inconvenient_place": _SAID,
    "bankruptcy": _FOUND,
    "discharge": _FOUND,
    "deceased": _FOUND,
    "wrong_party": _FOUND,
    "moratorium": _SCHEME,
    "crisis_moratorium": _SCHEME,
    "debt_review": _SCHEME,
    "hardship": _AGREED,
    "plan_in_preparation": _AGREED,
    "occasion": _AGREED,
    "promise": _AGREED,
}
