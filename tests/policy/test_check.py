"""`dunwell check`: answers, output, exit status; and every public case."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.policy.check import check_file
from services.policy.cli_check import check_command

PUBLIC = Path(__file__).parents[3] / "shared" / "cases"

FACTS = """
  facts:
    now: '2026-05-13T02:00:00Z'
    actor: {role: creditor}
    borrower: {zones: [{zone: America/New_York, basis: address}]}
    debt: {id: D1, product: personal_loan}
    contact: {channel: sms, purpose: collection, recipient: debtor}
  why: x
  about: [contact_window]
"""
RULES = "  rules: [{id: day, kind: contact_window, cite: [x], hours: {daily: '08:00-21:00'}}]"


def case(expect: str, *, name: str = "one", rules: str = RULES) -> str:
    return f"- id: {name}\n  title: x\n{rules}\n  expect: {expect}{FACTS}"


def run(tmp_path: Path, *texts: str, options: tuple[str, ...] = ()) -> Result:
    paths = []
    for i, text in enumerate(texts):
        path = tmp_path / f"{i}.yaml"
        path.write_text(text)
        paths.append(str(path))
    return CliRunner().invoke(check_command, [*options, *paths])


@pytest.mark.parametrize("path", sorted(PUBLIC.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_public_case_is_right(path: Path) -> None:
    for answer in check_file(str(path)):
        assert answer.ok, (answer.id, answer.decision, answer.until, answer.error)
        code = answer.expect.code if answer.expect else None
        assert code is None or code in {reason.code for reason in answer.reasons}, answer.id


@pytest.mark.parametrize(
    ("expect", "ok"),
    [
        ("{decision: defer, until: '2026-05-13T12:00:00Z'}", True),
        ("{decision: defer, until: '2026-05-13T12:01:00Z'}", True),
        ("{decision: defer, until: '2026-05-13T11:58:59Z'}", False),
        (
            "{decision: defer, until_between: ['2026-05-13T12:00:00Z', '2026-05-13T13:00:00Z']}",
            True,
        ),
        (
            "{decision: defer, until_between: ['2026-05-13T12:00:01Z', '2026-05-13T13:00:00Z']}",
            False,
        ),
        ("{decision: defer, until: '2026-05-14T12:00:00Z', strict: false}", True),
        ("{decision: defer, until: '2026-05-13T12:00:00Z', code: holiday}", True),
        ("{decision: allow}", False),
        ("{decision: allow, accept: [{decision: suppress}, {decision: defer}]}", True),
        ("{decision: allow, accept: [{decision: defer, until: '2026-05-14T12:00:00Z'}]}", False),
    ],
)
def test_a_case_is_right_if_the_decision_and_the_instant_fit(
    tmp_path: Path, expect: str, ok: bool
) -> None:
    result = run(tmp_path, "cases:\n" + case(expect))
    assert result.exit_code == (0 if ok else 1), result.output


def test_with_json_there_is_one_object_a_case_in_order_and_nothing_else(tmp_path: Path) -> None:
    deferred = case("{decision: defer, until: '2026-05-13T12:00:00Z'}")
    broken = case("{decision: error}", name="two", rules="  packs: [atlantis]")
    result = run(tmp_path, f"cases:\n{deferred}{broken}", options=("--json",))
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert list(first) == ["id", "decision", "until", "reasons", "warnings", "ok"]
    assert (first["id"], first["decision"], first["ok"]) == ("one", "defer", True)
    assert first["until"] == "2026-05-13T12:00:00Z"
    assert first["reasons"] == [
        {
            "rule": "day",
            "pack": "inline",
            "kind": "contact_window",
            "code": "outside_contact_window",
            "effect": "defer",
            "until": "2026-05-13T12:00:00Z",
            "cite": ["x"],
            "presumption": False,
            "says": "It is 22:00 for the borrower (America/New_York). "
            "Contact may start on Wednesday 13 May 2026 at 08:00.",
        }
    ]
    assert (second["decision"], second["until"], second["ok"]) == ("error", None, True)
    assert "unknown pack" in second["error"]
    assert result.exit_code == 0


@pytest.mark.parametrize(
    "broken",
    [
        "- nonsense\n",
        "- {id: two}\n",
        case("{decision: perhaps}", name="two"),
        case("{decision: allow}", name="one"),  # the id again
        case("{decision: allow}", name="two").replace("title", "titel"),
        case("{decision: allow}", name="two").replace("  why: x", "  why: x\n  why: y"),
        case("{decision: allow}", name="two").replace(RULES, ""),
        case("{decision: allow}", name="two").replace(RULES, f"{RULES}\n  packs: []"),
        case("{decision: allow}", name="two").replace("sms", "pigeon"),
        case("{decision: allow}", name="two", rules="  rules: [{id: x, kind: y, cite: [z]}]"),
        case("{decision: allow}", name="two", rules=RULES.replace("21", "09")).replace(
            "2026-05-13T02", "9999-12-31T22"
        ),
    ],
)
def test_a_malformed_case_is_its_own_error_and_the_others_are_answered(
    tmp_path: Path, broken: str
) -> None:
    right = case("{decision: defer, until: '2026-05-13T12:00:00Z'}")
    last = right.replace("id: one", "id: last")
    result = run(tmp_path, f"cases:\n{right}{broken}{last}", options=("--json",))
    first, second, third = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["ok"], third["ok"], third["id"]) == (True, True, "last")
    assert (second["decision"], second["ok"]) == ("error", False)
    assert second["error"]
    assert result.exit_code == 1


def test_a_case_that_expects_nothing_is_answered_but_not_right(tmp_path: Path) -> None:
    asked = case("{decision: allow}").replace("  expect: {decision: allow}", "")
    result = run(tmp_path, f"cases:\n{asked}", options=("--json",))
    answer = json.loads(result.stdout)
    assert (answer["decision"], answer["until"]) == ("defer", "2026-05-13T12:00:00Z")
    assert answer["ok"] is False
    assert "error" not in answer
    assert result.exit_code == 1
    assert "(nothing expected; add `expect`)" in run(tmp_path, f"cases:\n{asked}").stdout


def test_a_file_that_cannot_be_read_is_said_and_the_others_are_answered(tmp_path: Path) -> None:
    right = "cases:\n" + case("{decision: defer, until: '2026-05-13T12:00:00Z'}")
    result = run(tmp_path, "cases: [", right, "just text")
    assert result.exit_code == 2
    assert "1 of 1 cases right" in result.stdout
    assert "0.yaml: line " in result.stderr
    assert "2.yaml: has no list `cases`" in result.stderr
    missing = CliRunner().invoke(check_command, [str(tmp_path / "nowhere.yaml")])
    assert missing.exit_code == 2


def test_what_is_no_file_is_said_in_words_with_what_to_name_instead(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path, f"name its files: {tmp_path}/*.yaml"),
        (tmp_path / "x", "there is no file"),
    ):
        result = CliRunner().invoke(check_command, [str(path)])
        assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
        assert "Errno" not in result.stderr
        assert "cases right" not in result.stdout


def test_people_get_a_line_a_case_and_a_summary(tmp_path: Path) -> None:
    result = run(tmp_path, "cases:\n" + case("{decision: allow}"))
    line, summary = result.stdout.splitlines()
    assert line == (
        "WRONG  one  defer until 2026-05-13T12:00:00Z  outside_contact_window  (expected allow)"
    )
    assert summary == "0 of 1 cases right, 1 wrong"


def test_cases_of_a_pack_of_ones_own_are_asked_with_its_file_beside_them(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    head = "pack: mine\ntitle: Mine\njurisdiction: anywhere\nstatus: draft\n"
    mine.write_text(head + RULES[2:].replace("id: day", "id: mine-day") + "\n")
    deferred = "{decision: defer, until: '2026-05-13T12:00:00Z'}"
    asked = "cases:\n" + case(deferred, rules="  packs: [mine]")
    alone = run(tmp_path, asked)
    assert alone.exit_code == 1
    assert "unknown pack" in alone.stdout
    assert "--pack FILE" in alone.stdout
    beside = run(tmp_path, asked, options=("--pack", str(mine)))
    assert (beside.exit_code, "1 of 1 cases right" in beside.stdout) == (0, True)
    assert run(tmp_path, asked, options=("--pack", str(tmp_path / "none.yaml"))).exit_code == 2
