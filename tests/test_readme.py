"""README.md: commands run, outputs are what comes, figures are those of the card, links lead somewhere."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from belowline.serve.settings import load_settings
from tests.conftest import ROOT
from tests.support.readme import (
    COMMAND,
    README,
    SERVICE,
    TARGETS,
    Block,
    alike,
    blocks,
    output_of,
    with_figures,
    workplace,
)
from tests.support.waiting import until

TEXT = README.read_text("utf-8")
BLOCKS = list(blocks(TEXT))
SHOWN = [block for block in BLOCKS if block.output is not None]
SET_UP = [line for block in BLOCKS if block.output is None for line in block.commands.splitlines()]
LONGEST = 9000
LARGEST_PICTURE = 150_000


@pytest.mark.slow
def test_the_commands_give_the_outputs_that_are_shown() -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    with workplace() as (folder, service):
        for block in SHOWN:
            real = output_of(block, folder, service)
            assert alike(block.output or "", real), f"{block.commands}\nif this is wanted: {COMMAND}\n{real}"


def test_outputs_of_a_shell_of_python_and_of_the_audit_are_shown() -> None:
    commands = "\n".join(block.commands for block in SHOWN)
    for part in ("belowline score ", "curl ", "Scorer.load()", "belowline audit "):
        assert part in commands


def test_a_changed_output_is_noticed() -> None:
    assert alike('{"spam":0.91,"model":"0.4.1"}', '{"spam":0.93,"model":"0.4.1"}')
    assert not alike('{"spam":0.91}', '{"spam":0.95}')
    assert not alike('{"spam":0.91}', '{"hate":0.91}')
    assert not alike('"model":"0.4.1"', '"model":"0.5.0"')
    assert not alike("25 comments", "26 comments")


def test_a_block_has_the_output_directly_below_it() -> None:
    text = "```sh\na\n```\n\n```json\n1\n```\nwords\n```python\nb\n```\nwords\n```text\n2\n```\n"
    first, second = blocks(text)
    assert first == Block("sh", "a\n", "1\n", first.span)
    assert first.span
    assert text[slice(*first.span)] == "1\n"
    assert second == Block("python", "b\n", None, None)


def test_the_figures_are_those_of_the_card() -> None:
    assert with_figures(TEXT) == TEXT, f"if the card is right: {COMMAND}"
    assert len(re.findall(r"^\| `\w+` \|", TEXT, re.MULTILINE)) == 8
    assert all(row in TEXT for row in TARGETS)


def test_the_speeds_are_those_of_the_bench_page() -> None:
    page = " ".join((ROOT / "tests/bench/README.md").read_text("utf-8").split())
    speeds = re.findall(r"(\d+ to \d+ comments a second|\d+\.\d hours|\d+ to \d+ times)", TEXT)
    assert len(speeds) == 3
    assert [speed for speed in speeds if speed not in page] == []


def test_the_badges_are_true() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = project["requires-python"].removeprefix(">=")
    assert f"python-{wanted}_or_newer" in TEXT
    assert f"licence-{project['license'].replace('-', '--')}-" in TEXT


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^|`)make ([a-z][\w-]*)", TEXT, re.MULTILINE))))
def test_the_makefile_has_the_targets(target: str) -> None:
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_links_and_pictures_lead_to_files_and_headings() -> None:
    targets = re.findall(r"\]\(([^)]+)\)|(?:src|srcset)=\"([^\"]+)\"", TEXT)
    for target in ("".join(both) for both in targets):
        if target.startswith("https://"):
            continue
        name, _, heading = target.partition("#")
        assert (ROOT / name).is_file(), target
        titles = re.findall(r"^#+ (.*)", (ROOT / name).read_text("utf-8"), re.MULTILINE) if heading else []
        assert not heading or heading in [title.lower().replace(" ", "-") for title in titles], target


def test_every_picture_is_small_and_in_a_document() -> None:
    documents = "".join(path.read_text("utf-8") for path in [README, *(ROOT / "serve").glob("*.md")])
    pictures = sorted((ROOT / "serve" / "pictures").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < LARGEST_PICTURE, picture
        assert f"pictures/{picture.name}" in documents


def test_the_length() -> None:
    assert len(TEXT) <= LONGEST, "move what does not fit to the documents"


def test_the_index_names_every_document() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "serve").glob("*.md"), *(ROOT / "training").glob("*.md")]
    names = {str(path.relative_to(ROOT)) for path in documents} - {"README.md"}
    assert [name for name in sorted(names) if f"({name}" not in TEXT] == []


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout without what git ignores, as a clone is."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    folder = tmp_path_factory.mktemp("clone")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", [line for line in SET_UP if re.search(r"make serve|pip install", line)])
def test_the_quick_start_serves_from_a_fresh_copy(command: str, copy: Path) -> None:
    """Needs a package index, and minutes: each command sets up an environment."""
    with (copy / "log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=copy,
            env={"PATH": f"{Path(sys.base_prefix) / 'bin'}:{os.defpath}", "HOME": str(Path.home())}
            | {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
            | {"BELOWLINE_PORT": "0"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        text = until(lambda: _address(copy / "log") or process.poll() is not None, seconds=3000)
        assert process.poll() is None, (copy / "log").read_text("utf-8")
        assert httpx.get(f"{text}/readyz").status_code == 200
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_container_serves(copy: Path) -> None:
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("needs docker and its daemon")
    [command] = [line for line in SET_UP if line.startswith("docker build ")]
    build, _, run = command.partition(" && ")
    subprocess.run(["bash", "-c", build], cwd=copy, check=True)
    subprocess.run(
        ["bash", "-c", run.replace("docker run", "docker run -d --name belowline-readme")], check=True
    )
    try:
        until(lambda: httpx.get(f"{SERVICE}/readyz").status_code == 200)
    finally:
        subprocess.run(["docker", "rm", "-f", "belowline-readme"], check=True)


def test_the_key_of_the_container_is_long_enough() -> None:
    [key] = re.findall(r"BELOWLINE_API_KEYS=(\S+)", TEXT)
    load_settings(host="0.0.0.0", api_keys=(key,)).check_exposure()


def _address(log: Path) -> str | None:
    found = re.search(r"listens on (http://\S+)", log.read_text("utf-8"))
    return found and found[1]
