"""Run schemathesis against a service: its configuration, and what it found."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.fuzz.seeded import Seeded
from tests.services import ROOT

IDS = "ids.json"
"""Read by hooks.py."""

CONFIG = """
headers = {{ Authorization = "Bearer {key}" }}
hooks = "tests.fuzz.hooks"
workers = 1
request-timeout = 60
continue-on-failure = true
generation.database = "none"
reports.json.path = "{report}"

[checks]
enabled = true
# 413: a list that is too long for the document can be too long for the body before.
negative_data_rejection.expected-statuses = ["400", "401", "404", "409", "413", "422"]

# The ids in answers would be deleted, while they are still needed. The stateful phase is the last.
[phases]
fuzzing.extra-data-sources.responses = false
coverage.extra-data-sources.responses = false
examples.extra-data-sources.responses = false

[parameters]
"path.job_id" = {{ dictionary = "jobs", probability = 0.9 }}
"path.dataset_id" = {{ dictionary = "datasets", probability = 0.9 }}
"path.checkpoint_id" = {{ dictionary = "checkpoints", probability = 0.9 }}
"query.checkpoint" = {{ dictionary = "checkpoints", probability = 0.9 }}
"body.dataset.id" = {{ dictionary = "datasets", probability = 0.9 }}
# Up to 60 s are allowed, and would be waited for.
"query.wait" = {{ dictionary = "waits", probability = 1.0 }}

# A document cannot say which columns a dataset has, or which rows a job predicts: a body that fits it may be refused.
[[operations]]
include-method = "POST"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]

# Nor which built-in datasets were used: only these are in the list, and can be cursors of it.
[[operations]]
include-name = "GET /v1/datasets"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]

# Each makes an export in a process of its own.
[[operations]]
include-path-regex = "/export$"
generation.max-examples = {exports}

[[operations]]
include-path = "/v1/jobs/{{job_id}}"
include-method = "DELETE"
parameters."path.job_id" = {{ dictionary = "expendable", probability = 0.8 }}

[dictionaries]
"""
EXPORTS = 5


@dataclass(frozen=True)
class Findings:
    """`reached` is the number of requests by operation that were neither refused nor missed. `told` is the output."""

    requests: int
    failures: list[str]
    reached: Mapping[str, int]
    told: str


def run(service: Seeded, folder: Path, examples: int, seed: int) -> Findings:
    """Make about `examples` random requests, after the few thousand of the coverage phase."""
    with httpx.Client() as client:
        paths = client.get(f"{service.url}/openapi.json").json()["paths"]
    each = max(1, examples // sum(len(operations) for operations in paths.values()))
    report, config = folder / "report.json", folder / "schemathesis.toml"
    config.write_text(_config(service, report))
    ids = {"job_id": service.jobs[0], "dataset_id": service.datasets[0], "checkpoint_id": service.checkpoints[0]}
    (folder / IDS).write_text(json.dumps(ids))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", "--no-color"),
            *("--max-examples", str(each), "--seed", str(seed)),
            f"{service.url}/openapi.json",
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert report.exists(), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(report.read_text())
    failures = [f"{each['title']}: {', '.join(each['operations'])}" for each in found["failures"]]
    failures += [each["title"] for each in found["errors"]]
    assert bool(failures) == (done.returncode != 0), done.stdout + done.stderr
    reached = {
        operation: sum(phase["accepted"] + phase["conflicts"] for phase in phases.values())
        for operation, phases in found["valid_rates"].items()
    }
    return Findings(found["test_cases"]["generated"], failures, reached, done.stdout)


def _config(service: Seeded, report: Path) -> str:
    dictionaries = {
        "jobs": service.jobs,
        "expendable": service.expendable,
        "datasets": service.datasets,
        "checkpoints": service.checkpoints,
        "waits": [0, 0.01, 0.1],
    }
    lines = [f"{name}.values = {json.dumps(values)}\n" for name, values in dictionaries.items()]
    return CONFIG.format(key=service.key, report=report, exports=EXPORTS) + "".join(lines)
