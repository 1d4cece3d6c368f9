"""What the scheduler needs beside what every service needs."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from services.runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Each field is the variable `DUNWELL_<FIELD>`."""

    http_port: int = Field(default=8010, ge=0, le=65535)
    admin_port: int = Field(default=8011, ge=0, le=65535)
    policy_url: str = "http://127.0.0.1:8020"
    service_key: SecretStr = Field(description="an API key of policy with scope service")
    cadences_dir: Path | None = Field(
        default=None, description="a folder of cadences beside the shipped ones"
    )
    database_pool_size: int = Field(default=10, ge=3, le=100)

    @field_validator("policy_url")
    @classmethod
    def _http(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url

    @field_validator("cadences_dir")
    @classmethod
    def _folder(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.is_dir():
            raise ValueError("is not a folder; name one with *.yaml in it, or leave it unset")
        return folder
