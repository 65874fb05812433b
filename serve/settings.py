"""Every setting of the service, declared once; each is an environment variable ``BELOWLINE_<NAME>``."""

import hashlib
import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from belowline.model import DEFAULT_MODEL_DIR, BelowlineError, model_directory

PREFIX = "BELOWLINE_"
MIN_KEY_CHARS = 16
_HASHED_KEY = re.compile(r"sha256:[0-9a-f]{64}")


class SettingsError(BelowlineError):
    """A setting is missing, malformed or unsafe; the message is one line that says which and what to do."""


class Settings(BaseSettings):
    """What the service needs to know; see SETTINGS.md, which a test holds to this class."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    host: str = Field(
        "127.0.0.1", description="Address to listen on. Anything but loopback needs `API_KEYS`."
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    model_dir: Path | None = Field(
        None,
        description="Model directory, or `small` for the faster model in the package; unset: the released one. Once a model was promoted, "
        "that one serves.",
    )
    models_dir: Path | None = Field(
        None,
        description="Folder of promoted models; unset: `belowline-models` beside the SQLite database, "
        "or in the working directory. See MODELS.md.",
    )
    policy: Path | None = Field(
        None, description="TOML policy that turns scores into actions; unset: the model's own thresholds."
    )
    api_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        repr=False,
        description=(
            "Keys that callers send as `Authorization: Bearer KEY` or `X-API-Key: KEY`, separated by commas: "
            f"either the key itself (at least {MIN_KEY_CHARS} characters) or `sha256:` and the key's SHA-256 "
            "in hexadecimal. Unset: no key is asked for, on loopback only."
        ),
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("localhost", "127.0.0.1", "::1"),
        description=(
            "Names in the `Host` header that are answered while no key is asked for (none in `API_KEYS`, none made in the console), "
            "separated by commas; it keeps foreign web pages from reaching a service on loopback."
        ),
    )
    database_url: str = Field(
        "sqlite:///belowline.sqlite3",
        repr=False,
        description="Where comments and decisions are kept: an SQLAlchemy URL, SQLite or `postgresql+psycopg://`.",
    )
    webhook_private_addresses: bool = Field(
        False, description="Whether webhooks may go to addresses of private networks and this machine."
    )
    coral_secrets: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        repr=False,
        description=(
            "Signing secrets of Coral's external moderation phase, separated by commas: the new and the old one while they are rotated. "
            "Unset: calls of Coral need an API key, which it cannot send."
        ),
    )
    coral_answer_ms: int = Field(
        150,
        ge=10,
        le=9000,
        description="After how many milliseconds Coral is told to withhold a comment that is not scored yet; "
        "less than the phase's own timeout, after which it would publish it.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="CPU threads of the model, in each worker, and one that takes over while answers go out; unset: the cores are shared "
        "out among the workers, one each at least.",
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="Processes that serve one port and one store; each has a model and a queue of its own. See DEPLOY.md.",
    )
    max_comment_chars: int = Field(
        20_480, ge=1, description="Longest comment that is accepted, in characters."
    )
    max_body_bytes: int = Field(
        4_194_304, ge=1024, description="Largest request body that is accepted, in bytes."
    )
    request_timeout_s: float = Field(
        30.0,
        gt=0,
        le=600,
        description="Seconds within which the head of a request must come, then its body (or it gets 408), and an answer must be taken.",
    )
    queue_comments: int = Field(
        1024,
        ge=256,
        description="Comments that may wait for the model and the store; beyond it callers get 429 and Retry-After.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is logged."
    )

    @field_validator("api_keys", "allowed_hosts", "coral_secrets", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("model_dir")
    @classmethod
    def _shipped_by_name(cls, given: Path | None) -> Path | None:
        return None if given is None else model_directory(given)

    @field_validator("api_keys")
    @classmethod
    def _hash_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(key if _HASHED_KEY.fullmatch(key) else _hashed(key) for key in keys)

    @property
    def model_directory(self) -> Path:
        """The model directory that is set, or the one in the package."""
        return self.model_dir or DEFAULT_MODEL_DIR

    @property
    def cores(self) -> int:
        """How many threads the model gets in all: those that are set, or one for each core."""
        return self.threads or os.cpu_count() or 1

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check_exposure(self) -> None:
        """Raises SettingsError if others can reach the service and no key is asked for."""
        if not self.on_loopback and not self.api_keys:
            raise SettingsError(
                f"refusing to listen on {self.host} without API keys: "
                f"set {PREFIX}API_KEYS, or listen on 127.0.0.1"
            )


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, with ``overrides`` before it; raises SettingsError in one line.

    Overrides that are None are left to the environment.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise SettingsError(_first_problem(error)) from None


def settings_table() -> str:
    """The Markdown table of all settings that SETTINGS.md holds: ``python -m belowline.serve.settings``."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = ",".join(default) if isinstance(default, tuple) else str(default)
        code = "unset" if default is None or default == () else f"`{shown}`"
        rows.append(f"| `{PREFIX}{name.upper()}` | {code} | {field.description} |")
    return "\n".join(rows) + "\n"


def _hashed(key: str) -> str:
    if len(key) < MIN_KEY_CHARS:
        raise ValueError(f"a key needs at least {MIN_KEY_CHARS} characters")
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    name = str(first["loc"][0]).upper() if first["loc"] else ""
    return f"{PREFIX}{name}: {first['msg'].removeprefix('Value error, ')}; see serve/SETTINGS.md"


if __name__ == "__main__":
    print(settings_table(), end="")
