"""`dunwell check`: run case files against the rules and say which are right."""

import sys
from pathlib import Path

import click

from services.policy.check import Answer, UnreadableFile, check_file
from services.policy.pack import PackError
from services.policy.pack_lint import read_pack
from services.policy.wrong_cases import expected


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a case, one a line.")
@click.option(
    "--pack",
    "packs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A pack file of your own that the cases name; repeat for more.",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
def check_command(files: tuple[str, ...], packs: tuple[Path, ...], as_json: bool) -> None:
    """Ask the rules the questions in case FILEs and compare the answers with those expected.

    A case names shipped packs, or those of --pack, or holds rules of its own; its facts; and the
    answer it expects. A malformed case is answered with an error; the others are still answered.
    So is a case that expects nothing, but it is not right.

    \b
    Exit status:  0  every case is right
                  1  some are wrong
                  2  a file could not be read at all

    \b
    Examples:     dunwell check cases/*.yaml
                  dunwell check --pack acme-hours.yaml acme-hours.cases.yaml
                  dunwell check --json cases/caps.yaml | jq 'select(.ok | not)'
    """
    try:
        own = {pack.id: pack for pack in map(read_pack, packs)}
    except PackError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    right = wrong = unreadable = 0
    for path in files:
        try:
            answers = check_file(path, own)
        except UnreadableFile as error:
            click.echo(f"error: {error}", err=True)
            unreadable += 1
            continue
        for answer in answers:
            right, wrong = right + answer.ok, wrong + (not answer.ok)
            if as_json:
                sys.stdout.buffer.write(answer.as_json() + b"\n")
            else:
                click.echo(_line(answer))
    if as_json:
        sys.stdout.buffer.flush()
    elif (total := right + wrong) or not unreadable:
        click.echo(f"{right} of {total} cases right" + (f", {wrong} wrong" if wrong else ""))
    sys.exit(2 if unreadable else 1 if wrong else 0)


def _line(answer: Answer) -> str:
    """`ok     us-h-07  defer until 2026-06-03T15:00:00Z  outside_contact_window`"""
    codes = " ".join(dict.fromkeys(reason.code for reason in answer.reasons))
    line = f"{'ok   ' if answer.ok else 'WRONG'}  {answer.id or '(no id)'}  {answer.decision}"
    if answer.until is not None:
        line += f" until {answer.until:%Y-%m-%dT%H:%M:%SZ}"
    line += f"  {codes}" if codes else ""
    if answer.error is not None:
        line += f"  {answer.error}"
    if not answer.ok and answer.expect is not None:
        line += f"  (expected {expected(answer)})"
    elif answer.expect is None and answer.error is None:
        line += "  (nothing expected; add `expect`)"
    elif (
        answer.expect is not None and answer.expect.code and answer.expect.code not in codes.split()
    ):
        line += f"  (code expected: {answer.expect.code})"
    return line


if __name__ == "__main__":
    check_command(prog_name="dunwell check")
