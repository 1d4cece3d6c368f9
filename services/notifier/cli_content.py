"""`dunwell content`: say what a message contains, and by which entry of the lists."""

import sys
from pathlib import Path

import click
import msgspec

from services.events.words import Channel
from services.notifier.content.classify import Findings, MessageParts, classify
from services.notifier.content.lists import LANGUAGES, entries
from services.notifier.content.words import DECLARED, NEVER

LOCALES = ", ".join(LANGUAGES)


@click.group("content")
def content_command() -> None:
    """What a message contains: labels such as a threat, elements such as a way to opt out."""


@content_command.command("check")
@click.argument("file", metavar="FILE|-", type=click.Path(allow_dash=True, dir_okay=False))
@click.option("--language", default="en", show_default=True, help=f"A locale: {LOCALES}, zh-CN …")
@click.option(
    "--channel",
    type=click.Choice([str(channel) for channel in Channel]),
    default="sms",
    show_default=True,
    help="Bystanders see an e-mail's subject, a push's title and first words.",
)
@click.option("--subject", help="An e-mail's subject, a push's title.")
@click.option("--sender", help="The name that it comes from.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; never any of the text.")
def check(
    file: str, language: str, channel: str, subject: str | None, sender: str | None, as_json: bool
) -> None:
    """Print what is found in the message of FILE (- is standard input), and why.

    \b
    Exit status:  0  nothing that a message may not have
                  1  a label that no message may have, or that a template must declare
                  2  the file could not be read

    \b
    Examples:     echo "Pay or you will be arrested" | dunwell content check -
                  dunwell content check m.txt --channel email --subject "Un aviso" --language es
    """
    parts = MessageParts(body=_read(file), subject=subject, sender=sender)
    findings = classify(parts, language, Channel(channel))
    bad = [label for label in findings.labels if label in NEVER or label in DECLARED]
    if as_json:
        click.echo(msgspec.json.encode(findings).decode())
    else:
        for line in _lines(findings):
            click.echo(line)
        click.echo(f"not to be sent as it is: {', '.join(bad)}" if bad else "nothing bad found")
    sys.exit(1 if bad else 0)


def _read(file: str) -> str:
    try:
        if file == "-":
            return sys.stdin.read()
        return Path(file).read_text("utf-8")
    except OSError as error:
        click.echo(
            f"error: {file}: {error.strerror}; name a file of text, or - for stdin", err=True
        )
    except UnicodeDecodeError:
        click.echo(f"error: {file}: is not UTF-8; save it as UTF-8", err=True)
    sys.exit(2)


def _lines(findings: Findings) -> list[str]:
    every = entries()
    lines = []
    for finding in findings.found:
        entry = every[finding.entry]
        kind = entry.kind if entry.kind != entry.name else "fact"
        source = f" ({entry.source})" if entry.source else ""
        lines.append(f"{kind:<10} {entry.name:<22} {entry.id:<24} {entry.reason}{source}")
    by_rule = {finding.name for finding in findings.found}
    lines += [f"element    {name}" for name in findings.elements if name not in by_rule]
    return lines
