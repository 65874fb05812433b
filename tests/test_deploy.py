"""Deployment files: valid form, names that exist in the code, and sufficient rights for the service."""

import functools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from belowline.serve.http.health import health
from belowline.serve.server.run import of_each_worker
from belowline.serve.server.workers import LONGEST_END_S
from belowline.serve.settings import PREFIX, Settings, load_settings
from tests.conftest import ROOT
from tests.support.served_process import kept
from tests.support.waiting import until

DEPLOY = ROOT / "serve" / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
CONTAINERFILE = (ROOT / "Containerfile").read_text("utf-8")
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}
ROUTES = {route.path for route in health.routes}  # type: ignore[attr-defined]
UVICORNS = {"FORWARDED_ALLOW_IPS"}
USER = 10001
KEY = "a-key-of-enough-characters"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


MANIFESTS = {
    path.name: read(path) for path in sorted(KUBERNETES.glob("*.yaml")) if path.name != "kustomization.yaml"
}
COMPOSE = read(DEPLOY / "compose.yaml")


def of_kind(kind: str) -> Any:
    [found] = [one for one in MANIFESTS.values() if one["kind"] == kind]
    return found


POD = of_kind("Deployment")["spec"]["template"]
[CONTAINER] = POD["spec"]["containers"]


@pytest.mark.parametrize("name", MANIFESTS)
@pytest.mark.parametrize("release", ["1.30", "1.37"])
def test_a_manifest_is_what_kubernetes_takes(name: str, release: str) -> None:
    checker = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate, of the group dev")
    checker.validate(MANIFESTS[name], release, strict=True)
    with pytest.raises(checker.ValidationError):
        checker.validate({**MANIFESTS[name], "no_such_field": 1}, release, strict=True)


def test_the_compose_file_is_of_the_specification() -> None:
    schemas = pytest.importorskip(
        "check_jsonschema.builtin_schemas", reason="needs check-jsonschema, of the group dev"
    )
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft7Validator(schemas.get_builtin_schema("vendor.compose-spec"))
    assert list(validator.iter_errors(COMPOSE)) == []
    assert list(validator.iter_errors({**COMPOSE, "no_such_field": 1}))


def test_the_kustomization_lists_every_manifest_but_the_secret() -> None:
    listed = set(read(KUBERNETES / "kustomization.yaml")["resources"])
    assert listed == set(MANIFESTS) - {"secret.example.yaml"}


def test_selectors_name_the_pods() -> None:
    labels = POD["metadata"]["labels"]
    selectors = [
        of_kind("Deployment")["spec"]["selector"]["matchLabels"],
        of_kind("Service")["spec"]["selector"],
        of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(one["labelSelector"]["matchLabels"] for one in POD["spec"]["topologySpreadConstraints"]),
    ]
    assert all(selector == labels for selector in selectors)
    target = of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", of_kind("Deployment")["metadata"]["name"])


def test_ports_paths_and_secrets_are_those_of_the_code() -> None:
    [port] = CONTAINER["ports"]
    assert port["containerPort"] == Settings().port == environment_of_the_image()["BELOWLINE_PORT"]
    probes = [CONTAINER[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert [one["path"] for one in probes] == ["/healthz", "/readyz", "/healthz"]
    assert {one["path"] for one in probes} <= ROUTES
    assert {one["port"] for one in probes} == {port["name"]}
    [service] = of_kind("Service")["spec"]["ports"]
    [[incoming]] = [one["ports"] for one in of_kind("NetworkPolicy")["spec"]["ingress"]]
    assert service["targetPort"] == incoming["port"] == port["name"]
    assert {one["name"] for one in CONTAINER["env"]} <= SETTINGS | UVICORNS
    given = {one["name"]: one["valueFrom"] for one in CONTAINER["env"] if "valueFrom" in one}
    secret = of_kind("Secret")
    for name, source in given.items():
        if "secretKeyRef" in source:
            assert source["secretKeyRef"]["name"] == secret["metadata"]["name"]
            setting = name.removeprefix(PREFIX).lower()
            load_settings(**{setting: secret["stringData"][source["secretKeyRef"]["key"]]})
    assert given["BELOWLINE_THREADS"]["resourceFieldRef"]["containerName"] == CONTAINER["name"]


def test_a_pod_may_do_as_little_as_possible() -> None:
    pod, own = POD["spec"]["securityContext"], CONTAINER["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["runAsUser"] == pod["runAsGroup"] == USER
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert POD["spec"]["automountServiceAccountToken"] is False
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {one["mountPath"] for one in CONTAINER["volumeMounts"]} == {"/data", "/tmp"}


def test_whoever_stops_it_waits_until_it_has_ended() -> None:
    [_, before] = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    assert POD["spec"]["terminationGracePeriodSeconds"] >= int(before) + LONGEST_END_S + 10
    assert seconds(COMPOSE["services"]["belowline"]["stop_grace_period"]) >= LONGEST_END_S + 10


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def test_the_compose_file_names_what_the_code_has() -> None:
    service, postgres = COMPOSE["services"]["belowline"], COMPOSE["services"]["postgres"]
    assert set(service["environment"]) <= SETTINGS | UVICORNS
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).resolve() == (
        ROOT / "Containerfile"
    )
    assert [one.split()[0] for one in service["ports"]] == [f"127.0.0.1:8000:{Settings().port}"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "ports" not in postgres
    assert COMPOSE["networks"]["store"] == {"internal": True}
    filled = {"POSTGRES_PASSWORD": "word", "BELOWLINE_API_KEYS": KEY}
    values = {
        name.removeprefix(PREFIX).lower(): filled_in(value, filled)
        for name, value in service["environment"].items()
        if name in SETTINGS
    }
    settings = load_settings(**values, host="0.0.0.0")
    settings.check_exposure()
    assert of_each_worker(settings).workers == 2


def filled_in(value: str, known: dict[str, str]) -> str:
    """Substitute variables as docker compose does."""

    def put(found: re.Match[str]) -> str:
        name, rest = found[1], found[2] or ""
        assert name in known or rest.startswith(":-"), name
        return known.get(name, rest.removeprefix(":-"))

    return re.sub(r"\$\{(\w+)(:[-?][^}]*)?\}", put, value)


def test_what_is_to_be_filled_in_is_in_the_example_and_filled_in_nowhere() -> None:
    example = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "env.example").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text("utf-8")))
    assert named == set(example)
    assert {name for name, value in example.items() if value} == {"BELOWLINE_WORKERS"}
    ignored = (DEPLOY / ".gitignore").read_text("utf-8").splitlines()
    assert {".env", "kubernetes/secret.yaml"} <= set(ignored)


def instructions(word: str) -> list[str]:
    """Return the arguments of every use of an instruction in the Containerfile."""
    joined = re.sub(r"\\\n\s*", "", CONTAINERFILE)
    return re.findall(rf"^{word}\s+(.+)$", joined, re.MULTILINE)


@functools.cache
def environment_of_the_image() -> dict[str, Any]:
    pairs = [pair.split("=", 1) for line in instructions("ENV") for pair in shlex.split(line)]
    return {name: int(value) if value.isdecimal() else value for name, value in pairs}


def test_the_image_runs_as_nobody_and_sets_what_the_code_has() -> None:
    assert instructions("USER") == [f"{USER}:{USER}"]
    assert instructions("EXPOSE") == [str(Settings().port)]
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["belowline"]
    assert json.loads(instructions("CMD")[-1]) == ["serve"]
    assert json.loads(instructions("VOLUME")[0]) == ["/data"]
    assert {name for name in environment_of_the_image() if name.startswith(PREFIX)} <= SETTINGS
    for form in instructions("RUN"):
        assert json.loads(form), "no shell"
    check = json.loads(instructions("HEALTHCHECK")[0].partition("CMD ")[2])
    assert any(f"'{route}'" in check[2] for route in ROUTES)
    compile(check[2], "healthcheck", "exec")
    copied = {name for line in instructions("COPY") for name in line.split()[:-1] if "=" not in name}
    given = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert copied - {"/opt/belowline"} == {line[1:] for line in given if line.startswith("!")}


def test_the_image_needs_keys() -> None:
    image = {name: value for name, value in environment_of_the_image().items() if name.startswith(PREFIX)}
    settings = load_settings(**{name.removeprefix(PREFIX).lower(): value for name, value in image.items()})
    with pytest.raises(Exception, match="without API keys"):
        settings.check_exposure()


READ_ONLY = """
set -eu
cd "$1"
mount --make-rprivate /
mount --bind data data
mkdir -p tmp
mount -t tmpfs -o size=256m,mode=1777 tmpfs tmp
grep -vE ' (/proc|/sys|/dev)[/ ]' /proc/self/mounts | cut -d' ' -f2 | while read -r where; do
  case $where in "$1"/*) ;; *) mount -o remount,bind,ro "$where" ;; esac
done
mount -o remount,bind,rw data
cd data
shift
exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --inh-caps -all,+dac_read_search \
  --ambient-caps -all,+dac_read_search --bounding-set -all,+dac_read_search "$@"
"""
"""Script that makes everything read-only except data/ and tmp/.

The user's only additional right is reading, because Python may be in a home directory.
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the user of the image can reach, with its own data/."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("needs root, unshare and setpriv (util-linux) to make the file system read-only")
    if subprocess.run(
        ["unshare", "--mount", "mount", "--make-rprivate", "/"], capture_output=True
    ).returncode:
        pytest.skip("may not mount here: a container without CAP_SYS_ADMIN")
    folder = Path(tempfile.mkdtemp(prefix="belowline-ro-"))
    folder.chmod(0o755)
    (folder / "data").mkdir()
    os.chown(folder / "data", USER, USER)
    yield folder
    shutil.rmtree(folder)


def read_only(place: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    own = {"PATH": os.environ["PATH"], "HOME": "/tmp", "TMPDIR": str(place / "tmp"), **environment}
    return subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", str(place), *command],
        env=own | {"PYTHONPYCACHEPREFIX": str(place / "tmp"), "PYTHONUNBUFFERED": "1"},
        stdout=(place / "log").open("w"),
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_it_serves_as_nobody_with_all_but_its_data_read_only(place: Path, tiny_model_dir: Path) -> None:
    shutil.copytree(tiny_model_dir, place / "model")
    attempt = (
        "import os; print(os.getuid(), os.access('/data', os.W_OK)); open('written', 'w'); open('{}', 'w')"
    )
    tried = read_only(place, sys.executable, "-c", attempt.format(ROOT / "written"))
    assert tried.wait(60) == 1
    said = (place / "log").read_text()
    assert said.startswith(str(USER))
    assert "Read-only file system" in said
    code = "from belowline.serve.cli import main; main()"
    settings = {"BELOWLINE_WORKERS": "2", "BELOWLINE_PORT": "0", "BELOWLINE_API_KEYS": KEY}
    command = (sys.executable, "-c", code, "serve", "--model", str(place / "model"))
    process = read_only(place, *command, **settings)
    try:
        log = place / "log"
        url = until(lambda: re.search(r"listens on (http://\S+)", log.read_text()), 120)[1]
        body = {"site": "s", "comments": [{"id": "c1", "text": "the link you are following"}]}
        with httpx.Client(base_url=url, headers={"X-API-Key": KEY}, timeout=60) as client:
            [result] = client.post("/v1/comments", json=body).raise_for_status().json()["results"]
            assert result["scores"], log.read_text()
            assert client.get("/readyz").json()["ready"] is True
            until(lambda: "worker 2 serves" in log.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM
    assert kept(f"sqlite:///{place}/data/belowline.sqlite3") == {"c1": 1}
    assert {one.stat().st_uid for one in (place / "data").iterdir()} == {USER}
