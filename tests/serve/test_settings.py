import hashlib
from pathlib import Path

import pytest

from belowline.model import DEFAULT_MODEL_DIR
from belowline.serve.settings import PREFIX, Settings, SettingsError, load_settings
from tests.support.settings_table import settings_table

DOCUMENT = Path(__file__).parents[2] / "serve" / "SETTINGS.md"
KEY = "a-key-of-enough-characters"


def test_every_setting_is_documented() -> None:
    assert DOCUMENT.read_text("utf-8").endswith(settings_table()), (
        "serve/SETTINGS.md is behind serve/settings.py: put the output of "
        "`python -m tests.support.settings_table` in place of its table"
    )


def test_every_setting_has_a_description() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"| `{PREFIX}{name.upper()}` |" in settings_table()


def test_environment_is_read_and_overrides_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELOWLINE_PORT", "9001")
    monkeypatch.setenv("BELOWLINE_THREADS", "3")
    settings = load_settings(port=9002, threads=None)
    assert (settings.port, settings.threads) == (9002, 3)


def test_a_model_of_the_package_is_set_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().model_directory == DEFAULT_MODEL_DIR
    monkeypatch.setenv("BELOWLINE_MODEL_DIR", "small")
    settings = load_settings()
    assert settings.model_directory == DEFAULT_MODEL_DIR.with_name("small")
    assert load_settings(model_dir=Path("release")).model_directory == DEFAULT_MODEL_DIR


def test_settings_of_older_releases_do_not_prevent_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BATCH_COMMENTS", "BATCH_WAIT_MS", "SHADOW_MODEL_DIR"):
        monkeypatch.setenv(PREFIX + name, "4")
    load_settings()


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELOWLINE_THREADS", "")
    assert load_settings().threads is None


def test_keys_are_kept_as_hashes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = "sha256:" + hashlib.sha256(KEY.encode()).hexdigest()
    monkeypatch.setenv("BELOWLINE_API_KEYS", f"{KEY}, {hashed}")
    settings = load_settings()
    assert settings.api_keys == (hashed, hashed)
    assert KEY not in repr(settings)
    assert hashed not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "70000", "less than or equal to 65535"),
        ("PORT", "eight", "must be a whole number"),
        ("API_KEYS", "short-secret", "at least 16 characters"),
        ("LOG_LEVEL", "loud", "'debug'"),
        ("QUEUE_COMMENTS", "10", "greater than or equal to 256"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith(f"{PREFIX}{name}: ")
    assert words in message
    assert "\n" not in message
    assert "short-secret" not in message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    Settings(host=host).check_exposure()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "moderation.example"])
def test_other_addresses_need_a_key(host: str) -> None:
    Settings(host=host, api_keys=KEY).check_exposure()
    with pytest.raises(SettingsError, match=f"{host} without API keys: set BELOWLINE_API_KEYS"):
        Settings(host=host).check_exposure()


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(SettingsError, match="BELOWLINE_PROT"):
        load_settings(prot=1)
