"""The bytes of an e-mail: read back by Python's own parser, safe against foreign headers."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.channels import Message
from services.notifier.channels.mail_bytes import UnsafeHeader, mail_bytes

NOW = datetime(2026, 9, 25, 10, 0, tzinfo=UTC)
EXPECTED = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "X-Attempt-Id",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
}


def written(subject: str = "Hello", body: str = "Text", to: str = "someone@example.com") -> bytes:
    one = Message(
        attempt_id=uuid4(),
        reminder_id=uuid4(),
        to=to,
        subject=subject,
        body=body,
        valid_seconds=60,
        unsubscribe_url="https://reminders.example.com/v1/unsubscribe/x/y",
    )
    return mail_bytes(one, sender="Harbor <a@example.com>", domain="example.com", now=NOW)


@given(
    subject=st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=300),
    body=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=500),
)
def test_whatever_is_written_is_read_back_with_the_same_headers(subject: str, body: str) -> None:
    try:
        raw = written(subject, body)
    except UnsafeHeader:
        assert "=?" in subject or len(subject) > 900
        return
    read = message_from_bytes(raw, policy=policy.default)
    assert set(read.keys()) == EXPECTED
    assert read.get_content().splitlines() == body.splitlines()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_a_subject_in_chinese_is_read_back(  # a plain claim beside the property
) -> None:
    read = message_from_bytes(written("来自海港的提醒", "您好"), policy=policy.default)
    assert read["Subject"] == "来自海港的提醒"
    assert read.get_content().strip() == "您好"


@pytest.mark.parametrize(
    "value",
    [
        "x\r\nBcc: v@example.com",
        "x\nBcc: v@example.com",
        "x\0",
        "x\x85y",
        "x\u2028y",
        "=?utf-8?q?a=0D=0ABcc:_v@e.com?=",
    ],
)
def test_a_value_that_could_become_another_header_is_refused(value: str) -> None:
    with pytest.raises(UnsafeHeader) as raised:
        written(subject=value)
    assert "example" not in str(raised.value)
    with pytest.raises(UnsafeHeader):
        written(to=value)
