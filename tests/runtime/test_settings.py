"""Settings: read once, refused with a sentence that names the variable."""

from pathlib import Path

import certifi
import click
import pytest

from services.runtime.cli_database import required
from services.runtime.settings import ServiceSettings, SettingsError, StreamSettings, read

GOOD = {
    "DUNWELL_DATABASE_URL": "postgresql://scheduler:x@127.0.0.1/dunwell",
    "DUNWELL_IDENTITY_KEY": "i" * 32,
    "DUNWELL_API_KEY_PEPPER": "p" * 32,
}


def test_good_settings_are_read() -> None:
    settings = read(ServiceSettings, GOOD | {"DUNWELL_HTTP_PORT": "8010"})
    assert settings.http_port == 8010
    assert settings.stream == "postgres"


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("DUNWELL_DATABASE_URL", "mysql://x", "must begin with postgresql://"),
        ("DUNWELL_DATABASE_URL", "", "is required"),
        ("DUNWELL_STREAM", "rabbit", "must be 'kafka' or 'postgres'"),
        ("DUNWELL_HTTP_PORT", "80800", "must be a whole number from 0 to 65535."),
        ("DUNWELL_HTTP_PORT", "http", "must be a whole number from 0 to 65535."),
        ("DUNWELL_KAFKA_SESSION_TIMEOUT_SECONDS", "x", "must be a number from 1 to 300."),
        ("DUNWELL_SANDBOX", "perhaps", "must be true or false."),
        ("DUNWELL_IDENTITY_KEY", "short", "at least 32 bytes"),
    ],
)
def test_a_wrong_variable_is_named_with_what_to_do(
    variable: str, value: str, sentence: str
) -> None:
    with pytest.raises(SettingsError) as error:
        read(ServiceSettings, GOOD | {variable: value})
    assert f"{variable}: " in str(error.value)
    assert sentence in str(error.value)


def test_every_wrong_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        read(ServiceSettings, {"DUNWELL_STREAM": "x"})
    assert len(str(error.value).splitlines()) == 4


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "pepper"
    file.write_text("f" * 40 + "\n")
    given = {k: v for k, v in GOOD.items() if k != "DUNWELL_API_KEY_PEPPER"}
    settings = read(ServiceSettings, given | {"DUNWELL_API_KEY_PEPPER_FILE": str(file)})
    assert settings.api_key_pepper.get_secret_value() == "f" * 40


def test_a_missing_secret_file_is_named() -> None:
    with pytest.raises(SettingsError, match="DUNWELL_IDENTITY_KEY_FILE: cannot read"):
        read(
            ServiceSettings,
            GOOD | {"DUNWELL_IDENTITY_KEY_FILE": "/nowhere/at-all"} | {"DUNWELL_IDENTITY_KEY": ""},
        )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"\xfe\xff\x9c" * 20, "no text"), (b" \n", "is empty")],
    ids=["bytes", "blank"],
)
def test_a_secret_file_without_text_is_named_and_not_quoted(
    tmp_path: Path, content: bytes, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pepper"
    file.write_bytes(content)
    given = {k: v for k, v in GOOD.items() if k != "DUNWELL_API_KEY_PEPPER"}
    with pytest.raises(SettingsError) as of_service:
        read(ServiceSettings, given | {"DUNWELL_API_KEY_PEPPER_FILE": str(file)})
    monkeypatch.setenv("DUNWELL_API_KEY_PEPPER_FILE", str(file))
    monkeypatch.delenv("DUNWELL_API_KEY_PEPPER", raising=False)
    with pytest.raises(click.UsageError) as of_command:
        required("API_KEY_PEPPER")
    for said in (str(of_service.value), of_command.value.message):
        assert "DUNWELL_API_KEY_PEPPER_FILE: " in said
        assert sentence in said
        assert "0x" not in said


def test_a_path_is_not_read_from_a_second_file(tmp_path: Path) -> None:
    file = tmp_path / "path"
    file.write_text(certifi.where())
    settings = read(ServiceSettings, GOOD | {"DUNWELL_KAFKA_SSL_CAFILE_FILE": str(file)})
    assert settings.kafka_ssl_cafile is None
    settings = read(ServiceSettings, GOOD | {"DUNWELL_KAFKA_SSL_CAFILE": certifi.where()})
    assert str(settings.kafka_ssl_cafile) == certifi.where()


@pytest.mark.parametrize(
    ("variable", "content", "sentence"),
    [
        ("CAFILE", None, "DUNWELL_KAFKA_SSL_CAFILE: cannot read that file"),
        ("CAFILE", "not PEM", "DUNWELL_KAFKA_SSL_CAFILE holds no certificate in PEM"),
        ("CERTFILE", None, "DUNWELL_KAFKA_SSL_CERTFILE: cannot read that file"),
        ("CERTFILE", "not PEM", "are not a certificate and its key"),
    ],
)
def test_a_certificate_that_is_none_is_named_at_the_start(
    tmp_path: Path, variable: str, content: str | None, sentence: str
) -> None:
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=sentence):
        read(StreamSettings, GOOD | {f"DUNWELL_KAFKA_SSL_{variable}": str(file)})


def test_a_secret_is_not_shown_when_settings_are_printed() -> None:
    assert "i" * 32 not in repr(read(ServiceSettings, GOOD))
