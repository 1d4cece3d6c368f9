"""`dunwell content check`."""

import json

from click.testing import CliRunner

from services.notifier.cli_content import content_command


def test_it_says_what_is_found_and_why_and_fails():
    result = CliRunner().invoke(content_command, ["check", "-"], input="You will be arrested")
    assert result.exit_code == 1
    assert "arrest_threat" in result.output
    assert "en-threat-arrest" in result.output
    assert "15 USC 1692e(4)" in result.output
    assert "will be arrested" not in result.output


def test_a_good_message_passes(tmp_path):
    path = tmp_path / "message.txt"
    path.write_text("Harbor: $80.00 is due on June 3. Reply STOP to opt out.", "utf-8")
    result = CliRunner().invoke(content_command, ["check", str(path), "--sender", "Harbor"])
    assert result.exit_code == 0
    for word in ("sender_name", "amount", "reply", "states_debt", "nothing bad found"):
        assert word in result.output


def test_json_is_one_object():
    arguments = ["check", "-", "--json", "--channel", "email", "--subject", "Your debt"]
    result = CliRunner().invoke(content_command, arguments, input="Hello")
    assert json.loads(result.output)["labels"] == ["debt_hint"]


def test_a_file_that_is_not_there_is_named(tmp_path):
    result = CliRunner().invoke(content_command, ["check", str(tmp_path / "none.txt")])
    assert result.exit_code == 2
    assert "none.txt" in result.output
