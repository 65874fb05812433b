"""Models, policies and archives are data: no package runs code from a file; names and log lines stay unchanged."""

import ast
import io
import logging
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belowline.model import ModelError, Policy, PolicyError, Scorer
from belowline.serve import cli
from belowline.serve.active.files import digest_of, keep_model
from belowline.serve.server.log_format import OneLineFormatter, printable
from tests.conftest import ROOT

MODULES = sorted(
    path for folder in ("data", "model", "training", "serve") for path in (ROOT / folder).rglob("*.py")
)
RUNS_WHAT_IT_READS = {
    *(
        "pickle",
        "cPickle",
        "_pickle",
        "dill",
        "cloudpickle",
        "marshal",
        "shelve",
        "joblib",
        "jsonpickle",
        "yaml",
    ),
    *("pandas.read_pickle", "numpy.lib.format"),
}
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {"system", "popen", "read_pickle", "unsafe_load", "full_load", "load_module"}
MEANT = {
    ("training/fit/checkpoint.py", "pickle"): "the error that torch.load raises for a damaged file",
    (
        "training/measure/detoxify.py",
        "torch.load",
    ): "a published checkpoint of another project, named by hand for a comparison",
}
"""Intended uses, and the reason that they read no model, policy or archive."""


def risky(tree: ast.AST) -> set[str]:
    """Return the calls and imports of a module that could run code from a file."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & RUNS_WHAT_IT_READS
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} & RUNS_WHAT_IT_READS
        elif isinstance(node, ast.Call):
            found |= _called(node)
    return found


def _called(call: ast.Call) -> set[str]:
    given = {word.arg: ast.unparse(word.value) for word in call.keywords}
    name = ast.unparse(call.func)
    if isinstance(call.func, ast.Name) and name in CALLS:
        return {name}
    if name == "torch.load" or name.endswith("load_state_dict_from_url"):
        return set() if given.get("weights_only") == "True" else {"torch.load"}
    if name.endswith(".hub.load") or given.get("trust_remote_code", "False") != "False":
        return {"code from elsewhere"}
    if given.get("allow_pickle", "False") != "False" or given.get("shell", "False") != "False":
        return {"allow_pickle or shell"}
    return {call.func.attr} & METHODS if isinstance(call.func, ast.Attribute) else set()


def test_no_module_runs_what_a_file_says() -> None:
    found = {
        (str(path.relative_to(ROOT)), what)
        for path in MODULES
        for what in risky(ast.parse(path.read_text("utf-8")))
    }
    assert found == set(MEANT)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import pickle", "pickle"),
        ("from yaml import load", "yaml"),
        ("torch.load(f)", "torch.load"),
        ("torch.load(f, weights_only=False)", "torch.load"),
        ("eval(text)", "eval"),
        ("AutoModel.from_pretrained(x, trust_remote_code=True)", "code from elsewhere"),
        ("np.load(f, allow_pickle=True)", "allow_pickle or shell"),
        ("subprocess.run(c, shell=True)", "allow_pickle or shell"),
        ("os.system(c)", "system"),
    ],
)
def test_the_check_sees_what_it_looks_for(code: str, found: str) -> None:
    assert risky(ast.parse(code)) == {found}
    assert (
        risky(ast.parse("model.eval(); torch.load(f, weights_only=True); np.load(f); re.compile(p)")) == set()
    )


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("it ran"),)  # type: ignore[return-value]


def test_a_pickle_in_place_of_a_model_or_policy_is_refused_unread(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bomb = pickle.dumps(_Bomb())
    for name in ("model.onnx", "tokenizer.json", "config.json"):
        directory = Path(shutil.copytree(tiny_model_dir, tmp_path / name.replace(".", "-")))
        (directory / name).write_bytes(bomb)
        with pytest.raises(ModelError, match="corrupt"):
            Scorer.load(directory)
    with pytest.raises(PolicyError):
        Policy.parse(bomb.decode("latin-1"), "test", {})
    assert not (tmp_path / "it ran").exists()


VERSIONS = st.one_of(
    st.sampled_from(
        ["..", "../../etc", "/etc/passwd", ".hidden", "a/b", "", "\x00", "x" * 500, "C:\\x", "a\nb"]
    ),
    st.text(max_size=30),
)


@settings(max_examples=30)
@given(version=VERSIONS)
def test_a_promoted_model_lies_in_the_folder_of_models_whatever_its_version_says(
    tmp_path_factory: pytest.TempPathFactory, version: str
) -> None:
    work = tmp_path_factory.mktemp("promoted")
    directory, folder = work / "model", work / "models"
    directory.mkdir()
    for name in ("model.onnx", "tokenizer.json", "config.json"):
        (directory / name).write_text(name)
    name = keep_model(folder, directory, version, digest_of(directory))
    assert (folder / name).resolve().parent == folder.resolve()
    assert not name.startswith(".")
    assert name.isascii()
    assert name.isprintable()
    assert {path.name for path in folder.iterdir()} == {".lock", name}
    assert sorted(path.name for path in work.iterdir()) == ["model", "models"]


@settings(max_examples=100)
@given(
    st.text(st.characters(), max_size=40)
    | st.sampled_from(["a\r\nERROR root: forged", "\x1b[2J", "\u202e", "\ud800"])
)
def test_a_log_line_is_one_printable_line_whatever_it_tells(text: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLineFormatter("%(levelname)s %(name)s: %(message)s"))
    record = logging.LogRecord("belowline", logging.ERROR, "x", 1, "source %s cannot be read", (text,), None)
    handler.emit(record)
    line = stream.getvalue()
    assert line.endswith(" cannot be read\n")
    assert line[:-1].isprintable()
    line.encode("utf-8")
    assert printable("grüße, שלום – 你好") == "grüße, שלום – 你好"


def test_the_service_logs_with_it() -> None:
    code = (
        "import logging; from belowline.serve.server import run; from belowline.serve.settings import Settings;"
        "run._log(Settings()); logging.getLogger('x').error('a%sb', chr(10) + chr(27))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "ERROR x: a\\n\\x1bb\n"


def test_an_error_of_the_command_line_steers_no_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name = "\x1b[31mred\nbelowline: all is well"
    assert cli.run(["audit", str(tmp_path / name), "--out", str(tmp_path / "out")]) != 0
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert "\x1b" not in told
