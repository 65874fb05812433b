"""Requests that schemathesis generates from our own OpenAPI document, in its own environment.

Every answer is documented.
"""

import subprocess
from pathlib import Path

from tests.support.client_environments import python_with
from tests.support.serve_fakes import KEY, served

RULES_BEYOND_SCHEMAS = "positive_data_acceptance"
"""Such as "give exactly one of campaign, author and comments"."""
ENDLESS = "/v1/events"
INVALID_ITEMS = """
[[operations]]
include-path-regex = "^/v1/(score|comments)$"
checks.negative_data_rejection.expected-statuses = ["2xx", "4xx"]
"""
"""An invalid comment of these calls has its own error in an answer of 200."""


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(INVALID_ITEMS)
    schemathesis = python_with("schemathesis==4.32.5").parent / "schemathesis"
    with served(tmp_path, api_keys=KEY) as client:
        command = [str(schemathesis), "run", f"{client.base_url}/openapi.json", "-H", f"X-API-Key: {KEY}"]
        command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", "7"]
        command += ["--checks", "all", "--exclude-checks", RULES_BEYOND_SCHEMAS, "--exclude-path", ENDLESS]
        command += ["--no-color", "--generation-database", "none"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280)
        counts = client.get("/metrics", headers={"X-API-Key": KEY}).text
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "0 generated" not in done.stdout
    assert 'status="5' not in counts
