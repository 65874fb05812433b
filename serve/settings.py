"""Every setting of the service, declared once; each is an environment variable ``BELOWLINE_<NAME>``."""

import hashlib
import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from belowline.model import DEFAULT_MODEL_DIR, BelowlineError, first_problem, model_directory

PREFIX = "BELOWLINE_"
MIN_KEY_CHARS = 16
_HASHED_KEY = re.compile(r"sha256:[0-9a-f]{64}")


class SettingsError(BelowlineError):
    """A setting is missing, malformed or unsafe; the message is one line that names it and the remedy."""


class Settings(BaseSettings):
    """The settings of the service; SETTINGS.md lists them, and a test compares it with this class."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    host: str = Field(
        "127.0.0.1", description="Address to listen on. Any address but loopback needs `API_KEYS`."
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 for a free one.")
    model_dir: Path | None = Field(
        None,
        description="Model directory, or `small` for the faster model in the package, or `large` for the model of the "
        "package `belowline-large`. Default: the released model. A promoted model takes precedence.",
    )
    second_model_dir: Path | None = Field(
        None,
        description="Directory or name of a second model, such as `large`, that reads comments near a threshold again. "
        "Default: no second model. See MODELS.md.",
    )
    models_dir: Path | None = Field(
        None,
        description="Folder of promoted models. Default: `belowline-models` beside the SQLite database, "
        "or in the working directory. See MODELS.md.",
    )
    policy: Path | None = Field(
        None, description="TOML policy that turns scores into actions. Default: the model's own thresholds."
    )
    api_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        repr=False,
        description="Keys that clients send as `Authorization: Bearer KEY` or `X-API-Key: KEY`, separated by commas: "
        f"each the key itself (at least {MIN_KEY_CHARS} characters) or `sha256:` and its SHA-256 in hexadecimal. "
        "Default: no key is needed, on loopback only.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("localhost", "127.0.0.1", "::1"),
        description="Allowed `Host` headers while no key is needed (none in `API_KEYS`, none made in the console), "
        "separated by commas. They keep web pages of other sites from reaching a service on loopback.",
    )
    database_url: str = Field(
        "sqlite:///belowline.sqlite3",
        repr=False,
        description="Database of comments and decisions, as an SQLAlchemy URL: SQLite or `postgresql+psycopg://`.",
    )
    webhook_private_addresses: bool = Field(
        False, description="Allow webhooks to private networks and to this machine."
    )
    coral_secrets: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        repr=False,
        description="Signing secrets of Coral's external moderation phase, separated by commas; the new and the old "
        "one during a rotation. Default: calls of Coral need an API key, which it cannot send.",
    )
    coral_answer_ms: int = Field(
        150,
        ge=10,
        le=9000,
        description="Milliseconds after which Coral is told to withhold a comment without scores. Keep it below the "
        "timeout of the phase: after that Coral publishes the comment.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="Inference threads per worker. Default: CPU cores divided by the number of workers, at least 1. "
        "One more thread takes over while answers are sent.",
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="Processes that share one port and one store; each has its own model and queue. See DEPLOY.md.",
    )
    max_comment_chars: int = Field(20_480, ge=1, description="Maximum length of a comment, in characters.")
    max_body_bytes: int = Field(4_194_304, ge=1024, description="Maximum size of a request body, in bytes.")
    request_timeout_s: float = Field(
        30.0,
        gt=0,
        le=600,
        description="Seconds for a client to send the head of a request, then to send its body (else 408), "
        "and then to receive the answer.",
    )
    queue_comments: int = Field(
        1024,
        ge=256,
        description="Maximum number of comments that wait for the model and the store. Further requests get 429 with "
        "Retry-After.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum level of logged messages."
    )

    @field_validator("api_keys", "allowed_hosts", "coral_secrets", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("model_dir", "second_model_dir")
    @classmethod
    def _shipped_by_name(cls, given: Path | None) -> Path | None:
        return None if given is None else model_directory(given)

    @field_validator("api_keys")
    @classmethod
    def _hash_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(key if _HASHED_KEY.fullmatch(key) else _hashed(key) for key in keys)

    @property
    def model_directory(self) -> Path:
        """The configured model directory, or the one in the package."""
        return self.model_dir or DEFAULT_MODEL_DIR

    @property
    def cores(self) -> int:
        """Number of inference threads: as configured, or one for each core."""
        return self.threads or os.cpu_count() or 1

    @property
    def on_loopback(self) -> bool:
        """True if only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check_exposure(self) -> None:
        """Raises SettingsError if other machines can reach the service and no key is set."""
        if not self.on_loopback and not self.api_keys:
            raise SettingsError(
                f"refusing to listen on {self.host} without API keys: "
                f"set {PREFIX}API_KEYS, or listen on 127.0.0.1"
            )


def load_settings(**overrides: Any) -> Settings:
    """Returns the settings of the environment; ``overrides`` other than None take precedence. Raises SettingsError."""
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        problem = first_problem(error)
        name = str(problem.location[0]).upper() if problem.location else ""
        raise SettingsError(f"{PREFIX}{name}: {problem.message}; see serve/SETTINGS.md") from None


def _hashed(key: str) -> str:
    if len(key) < MIN_KEY_CHARS:
        raise ValueError(f"a key needs at least {MIN_KEY_CHARS} characters")
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()
