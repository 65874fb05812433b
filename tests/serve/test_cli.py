import socket
from pathlib import Path
from typing import Any

import pytest

from belowline.model import Scorer
from belowline.serve import cli
from belowline.serve.batch.atomic import replacing
from belowline.serve.server.run import ServerError, run_server
from belowline.serve.settings import Settings
from tests.support.serve_fakes import fake_scorer


@pytest.fixture
def fake_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scorer, "load", lambda *_, **__: fake_scorer())


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return the exit status and the one line with which a command fails."""
    status = cli.run(list(arguments))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("belowline: ")
    assert shown.err.count("\n") == 1
    return status, shown.err.removeprefix("belowline: ").rstrip()


def test_version_and_bare_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("belowline 0.")
    assert cli.run([]) == 0
    assert "audit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "No such command 'frobnicate'; see belowline --help"),
        (["serve", "--prot", "1"], "No such option: --prot"),
        (["serve", "--port", "x"], "Invalid value for '--port'"),
        (["score", "a", "--in", "b.csv"], "see belowline score --help"),
        (["score", "--in", "b.csv", "--article", "t"], "--article-column"),
        (["audit"], "Missing argument"),
    ],
)
def test_wrong_usage_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    status, line = failure(capsys, *arguments)
    assert status == 2
    assert words in line


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, line = failure(capsys, "serve", "--port", str(port))
    assert status == 1
    assert f"127.0.0.1 port {port}" in line


def test_an_unknown_host_is_one_line() -> None:
    with pytest.raises(ServerError, match=r"cannot listen on no\.such\.host\.invalid port 0"):
        run_server(Settings(host="no.such.host.invalid", port=0, api_keys="a-long-enough-key"))


def test_an_open_service_without_keys_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    status, line = failure(capsys, "serve", "--host", "0.0.0.0", "--port", "0")
    assert (status, line.split(":")[0]) == (1, "refusing to listen on 0.0.0.0 without API keys")


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["score", "text"]])
def test_a_model_that_is_not_there_is_one_line(
    capsys: pytest.CaptureFixture[str], command: list[str], tmp_path: Path
) -> None:
    status, line = failure(capsys, *command, "--model", str(tmp_path))
    assert status == 1
    assert str(tmp_path / "model.onnx") in line


@pytest.mark.usefixtures("fake_model")
def test_a_bad_setting_policy_or_database_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status, line = failure(capsys, "score", "text", "--policy", str(tmp_path / "none.toml"))
    assert (status, "none.toml" in line) == (1, True)
    monkeypatch.setenv("BELOWLINE_DATABASE_URL", "sqlite:////no/such/folder/q.sqlite3")
    status, line = failure(capsys, "serve", "--port", "0")
    assert (status, "unable to open database file" in line) == (1, True)
    monkeypatch.setenv("BELOWLINE_THREADS", "many")
    status, line = failure(capsys, "score", "text")
    assert (status, line.split(":")[0]) == (1, "BELOWLINE_THREADS")


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (RuntimeError("quotes a secret"), 1, "unexpected RuntimeError at "),
        (PermissionError(13, "Permission denied", "/some/file"), 1, "/some/file: Permission denied"),
    ],
)
def test_no_error_is_a_traceback(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    words: str,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(cli, "_pipeline", fail)
    assert failure(capsys, "score", "text")[0] == status
    line = failure(capsys, "score", "text")[1]
    assert words in line
    assert "secret" not in line


def test_an_interrupt_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_pipeline", interrupt)
    assert cli.run(["score", "text"]) == 130
    assert capsys.readouterr().err == ""


def test_a_file_is_replaced_only_when_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")

    def fail_half_way() -> None:
        with replacing(target) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert target.read_text() == "old"
    with replacing(target) as file:
        file.write(b"new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]
