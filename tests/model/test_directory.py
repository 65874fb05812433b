"""An unusable model directory is refused with one line that names the file and the remedy."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from belowline.model import DEFAULT_MODEL_DIR, ModelError, Scorer, model_directory
from belowline.model.directory import FILES, SHIPPED

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def directory(tiny_model_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model_dir, tmp_path / "copy"))


def refusal(directory: Path) -> str:
    with pytest.raises(ModelError) as caught:
        Scorer.load(directory)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_whole_directory_loads(directory: Path) -> None:
    scorer = Scorer.load(directory, threads=1)
    assert scorer.version == "0.0.1-tiny"
    assert scorer.labels[0] == "spam"
    assert scorer.thresholds["spam"].hold == 0.7
    assert scorer.thresholds["on_topic"].hold is None


def test_the_models_of_the_package_have_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert model_directory(Path("release")) == DEFAULT_MODEL_DIR
    for name in SHIPPED:
        assert all((model_directory(Path(name)) / file).is_file() for file in FILES)
    for other in (Path("largest"), Path("small/er"), Path("./runs/small"), tmp_path / "small", Path()):
        assert model_directory(other) == other
    for name in ("small", "large"):
        Path(name).mkdir()
        assert model_directory(Path(name)) == Path(name)


def test_large_is_a_package_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as missing:
        missing.setattr("belowline.model.directory.find_spec", lambda _: None)
        with pytest.raises(ModelError, match="belowline-large is not installed"):
            model_directory(Path("large"))
    package = tmp_path / "site" / "belowline_large"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(package.parent)
    assert model_directory(Path("large")) == package / "large"


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json"])
def test_a_missing_file(directory: Path, name: str) -> None:
    (directory / name).unlink()
    message = refusal(directory)
    assert message.startswith(f"{directory / name}: missing")
    assert "belowline-train export" in message


def test_a_missing_directory(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere' / 'model.onnx'}: missing")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("config.json", b'{"version": ', "corrupt"),
        ("config.json", b"\xff\xfe\x00", "corrupt"),
        ("config.json", b"", "corrupt"),
        ("model.onnx", b"not a model", "corrupt"),
        ("model.onnx", b"", "corrupt"),
        ("tokenizer.json", b'{"model": 3}', "corrupt"),
        ("tokenizer.json", b"\xff", "corrupt"),
    ],
)
def test_a_corrupt_file(directory: Path, name: str, content: bytes, problem: str) -> None:
    (directory / name).write_bytes(content)
    message = refusal(directory)
    assert message.startswith(f"{directory / name}: {problem}")


def test_a_model_cut_off_in_transfer(directory: Path) -> None:
    model = directory / "model.onnx"
    model.write_bytes(model.read_bytes()[:-100])
    assert refusal(directory).startswith(f"{model}: corrupt")


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("version", lambda config: config.pop("version")),
        ("labels", lambda config: config.update(labels=[])),
        ("surprise", lambda config: config.update(surprise=1)),
        ("thresholds.spam.hold", lambda config: config["thresholds"]["spam"].update(hold=1.5)),
        ("calibration.hate.scale", lambda config: config["calibration"]["hate"].update(scale=0)),
        ("window.tokens", lambda config: config["window"].update(tokens="many")),
        ("window.aggregate.threat", lambda config: config["window"]["aggregate"].update(threat="median")),
        ("calibration", lambda config: config["calibration"].pop("threat")),
        ("window.aggregate", lambda config: config["window"]["aggregate"].pop("spam")),
        ("labels", lambda config: config.update(harmful=["gossip"])),
        ("evidence.gossip", lambda config: config["evidence"].update(gossip=config["evidence"]["hate"])),
        ("evidence.on_topic", lambda config: config["evidence"].update(on_topic=config["evidence"]["hate"])),
        ("evidence.hate.channel", lambda config: config["evidence"]["hate"].update(channel="on_topic")),
        ("evidence.hate.channel", lambda config: config["evidence"]["hate"].pop("channel")),
        ("evidence.spam.floor", lambda config: config["evidence"]["spam"].update(floor=1.5)),
        ("evidence", lambda config: config.update(evidence=["spam", "hate"])),  # as before 0.2.0
    ],
)
def test_a_wrong_field(directory: Path, field: str, change: Change) -> None:
    file = directory / "config.json"
    config = json.loads(file.read_text("utf-8"))
    change(config)
    file.write_text(json.dumps(config), "utf-8")
    message = refusal(directory)
    assert re.match(rf"{re.escape(str(file))}: field {re.escape(field)}: ", message)


def test_json_that_is_no_object(directory: Path) -> None:
    (directory / "config.json").write_text("[1, 2]", "utf-8")
    assert "field (all): " in refusal(directory)
