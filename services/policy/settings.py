"""What the policy service needs beside what every service needs."""

from pydantic import Field

from services.runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Each field is the variable `DUNWELL_<FIELD>`."""

    http_port: int = Field(default=8020, ge=0, le=65535)
    admin_port: int = Field(default=8021, ge=0, le=65535)
    database_pool_size: int = Field(default=10, ge=2, le=100)
