"""`dunwell packs`: list, read, check and compare the packs of rules."""

import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from services.policy import pack_diff, pack_lint, pack_text
from services.policy.cli_reading import pack_text as pack_text_of
from services.policy.draft_check import shipped_rules
from services.policy.pack import Pack, PackError, load_shipped, load_text, shipped
from services.policy.rulesets import ALWAYS, ALWAYS_ID
from services.policy.stricter import Way
from services.runtime.settings import PREFIX


@click.group("packs")
def packs() -> None:
    """Read the rules: which packs there are, what they say, what a change would do.

    A PACK is the id of a shipped pack, such as us-fed, or the path of a pack file; for `show` and
    `diff` also `always`, the rules that are asked of everybody; and, with --tenant (needs
    DUNWELL_DATABASE_URL), a draft that was kept, DRAFT or DRAFT@HASH, or a version that was in
    force, PACK@HASH: an explanation names the hash.

    \b
    dunwell packs list                        which packs are shipped
    dunwell packs show us-ma                  every rule of one, in words
    dunwell packs lint my-rules.yaml          what is wrong with a file, and where
    dunwell packs diff house my-house.yaml    which rules get tighter, which looser
    dunwell packs show acme-hours@3f9c0a --tenant acme      before you approve it
    dunwell packs diff us-fed@77b0e1c2a3d4 us-fed --tenant acme     what has changed since
    """


_TENANT = click.option(
    "--tenant", envvar=PREFIX + "TENANT", help=f"Whose draft or version; or set {PREFIX}TENANT."
)


@packs.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a pack, one a line.")
def list_command(as_json: bool) -> None:
    """List the shipped packs: place, status, number of rules, dates, hash.

    The hash is that of the file's text; an activation and every decision name it as the version.
    The last, `always`, is asked of everybody and is never activated.
    """
    rows = [_row(load_shipped(name), pack_lint.SHIPPED / f"{name}.yaml") for name in shipped()]
    rows.append(_row(pack_lint.read_pack(ALWAYS), ALWAYS))
    if as_json:
        for row in rows:
            click.echo(msgspec.json.encode(row))
        return
    head = ("id", "rules", "status", "in force", "hash", "jurisdiction", "title")
    _table([head, *((*(str(row[key]) for key in _COLUMNS),) for row in rows)])
    click.echo(
        f"\n{ALWAYS_ID} is asked of everybody, beside the packs in force; nobody activates it."
    )


_COLUMNS = ("pack", "rules", "status", "effective", "hash", "jurisdiction", "title")


def _row(pack: Pack, file: Path) -> dict[str, object]:
    return {
        "pack": pack.id,
        "title": pack.title,
        "jurisdiction": pack.jurisdiction,
        "status": pack.status,
        "rules": len(pack.rules),
        "effective": pack_text.in_force(pack.effective),
        "hash": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def _table(rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as their widest text; the hash cut to 12 signs."""
    rows = [(*row[:4], row[4][:12], *row[5:]) for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@packs.command("show")
@click.argument("pack")
@_TENANT
@click.option("--rule", "rule_id", metavar="ID", help="Only this rule.")
def show_command(pack: str, tenant: str | None, rule_id: str | None) -> None:
    """Read a PACK in words: what each rule says, whom it binds, exceptions, source, dates."""
    found = _pack(pack, tenant)
    rules = [rule for rule in found.rules if rule_id in (None, rule.id)]
    if not rules:
        known = ", ".join(rule.id for rule in found.rules)
        raise click.BadParameter(f"no rule {rule_id} in {found.id}; it has: {known}", None, None)
    if rule_id is None:
        click.echo(f"{found.title}\n")
        _lines(pack_text.heading(found))
    for rule in rules:
        click.echo(f"\n{rule.id}  {rule.title}".rstrip())
        _lines(pack_text.rule_in_words(rule))


def _lines(lines: pack_text.Lines) -> None:
    for label, text in lines:
        wrapped = click.wrap_text(text, width=84).splitlines() or [""]
        for i, part in enumerate(wrapped):
            click.echo(f"  {label if i == 0 else '':<11} {part}")


@packs.command("lint")
@click.argument("paths", nargs=-1, metavar="FILE…", type=click.Path(path_type=Path))
@click.option("--all", "every", is_flag=True, help="Every shipped pack.")
@click.option("--quiet", is_flag=True, help="Errors only, no advice.")
def lint_command(paths: tuple[Path, ...], every: bool, quiet: bool) -> None:
    """Check pack FILEs: every error with file, line, rule, field and the fix; then advice.

    The cases beside a file are asked, too: cases/NAME.yaml, or NAME.cases.yaml.  They may name
    every pack that is shipped or checked here; one that comes out otherwise is an error.

    \b
    Exit status:  0  every file can be asked, whatever the advice
                  1  some would be refused
    """
    chosen = [
        *paths,
        *((pack_lint.SHIPPED / f"{name}.yaml" for name in shipped()) if every else ()),
    ]
    if not chosen:
        raise click.UsageError("name pack files, or say --all for those that are shipped")
    found, problems = pack_lint.errors(chosen)
    if not problems:
        problems = pack_lint.case_errors(found)
    for problem in problems:
        click.echo(f"error   {problem}")
    advised = 0
    if not quiet:
        today = datetime.now(UTC).date()
        for pack in found:
            notes = pack_lint.advice(pack, today) + pack_lint.cases_advice(pack)
            for note in notes:
                click.echo(f"advice  {note}")
            advised += len(notes)
    said = f"{len(chosen)} file(s): {len(problems)} error(s)"
    click.echo(said if quiet else f"{said}, {advised} piece(s) of advice")
    sys.exit(1 if problems else 0)


@packs.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@_TENANT
@click.option("--json", "as_json", is_flag=True, help="One JSON object a rule, one a line.")
def diff_command(before: str, after: str, tenant: str | None, as_json: bool) -> None:
    """What changes from pack A to pack B: rules added, removed, changed, in words.

    Each is tightened (fewer contacts), loosened (more), unclear (neither can be shown; take it for
    loosened), or the same (only its words change).
    """
    differences = pack_diff.diff(_pack(before, tenant), _pack(after, tenant))
    if as_json:
        for each in differences:
            click.echo(msgspec.json.encode(pack_diff.as_values(each)))
        return
    for each in differences:
        fields = ", ".join(f"{name} {way}" for name, way in each.fields.items())
        name = each.rule or "the pack itself"
        click.echo(
            f"{_WAYS[each.way]:<10} {each.change:<8} {name}" + (f"  ({fields})" * bool(fields))
        )
        for line in each.lines:
            click.echo(f"    {line}")
    counts = pack_diff.counts(differences)
    said = ", ".join(f"{count} {_WAYS[Way(way)]}" for way, count in counts.items() if count)
    click.echo(said or "no difference")


_WAYS = {
    Way.TIGHTER: "tightened",
    Way.LOOSER: "LOOSENED",
    Way.UNCLEAR: "UNCLEAR",
    Way.SAME: "same",
}


def _pack(named: str, tenant: str | None) -> Pack:
    """A shipped pack by its id, a file by its path, or a draft that the tenant keeps."""
    try:
        path = Path(named)
        if path.suffix in (".yaml", ".yml") or path.is_file():
            return pack_lint.read_pack(path)
        if named == ALWAYS_ID:
            return pack_lint.read_pack(ALWAYS)
        if named in shipped() or (tenant is None and "@" not in named):
            return load_shipped(named)
        name, text = pack_text_of(named, tenant)
        return load_text(text, name)
    except (PackError, click.ClickException) as error:
        if (pack := shipped_rules().get(named)) is not None:
            said = f"{named} is a rule of {pack[0]}: dunwell packs show {pack[0]} --rule {named}"
            raise click.ClickException(said) from error
        if isinstance(error, click.ClickException):
            raise
        raise click.ClickException(str(error)) from error
