"""What README shows works as it stands, beside a reviews.csv."""

import json
import re
import subprocess
import sys
from itertools import islice, product
from pathlib import Path

from safetensors import safe_open

from tests.services import Embedded

README = (Path(__file__).parents[1] / "README.md").read_text()
PYTHON = re.search(r"```python\n(.*?)```", README, re.DOTALL)
BODIES = [json.loads(body) for body in re.findall(r"-d '([^']+)'", README)]
WORDS = (
    ["a", "this", "that", "every", "no"],
    ["moving", "slow", "long", "short", "quiet", "loud"],
    ["film", "book", "play", "song", "tale"],
    ["good", "great", "bad", "poor"],
)


def _reviews() -> str:
    rows = islice(product(*WORDS), 0, None, 2)
    return "text,label\n" + "".join(f"{' '.join(row)},{'yes' if row[-1] == 'good' else 'no'}\n" for row in rows)


def test_the_examples_work(tmp_path: Path) -> None:
    assert PYTHON is not None
    assert [sorted(body) for body in BODIES] == [["architecture", "dataset"], ["rows"], ["spec"]]
    whole = re.search(r"`(\{\"architecture.*?\})` is a whole job", README)
    assert whole is not None
    here = tmp_path / "here"
    here.mkdir()
    (here / "reviews.csv").write_text(_reviews())
    with Embedded(tmp_path / "data") as service:
        environment = {**service.environment, "ATHANOR_URL": service.url}
        ran = subprocess.run(
            [sys.executable, "-c", PYTHON[1]], cwd=here, env=environment, capture_output=True, text=True, timeout=60
        )
        assert ran.returncode == 0, ran.stderr
        lines = ran.stdout.splitlines()
        assert lines[-2].startswith("succeeded ")
        assert "val/accuracy" in ran.stdout
        assert re.search(r"'label': '(yes|no)'", lines[-1])
        with safe_open(here / "reviews.safetensors", framework="np") as file:
            assert list(file.keys())
        with service.client() as client:
            dataset, job = client.datasets().data[0], client.jobs().data[0]
            spec, rows, fork = BODIES
            assert spec["dataset"] == {"id": "ds_…"}
            assert client.plan(spec | {"dataset": {"id": dataset.id}}).task == "classification"
            assert client.plan(json.loads(whole[1])).task == "classification"
            plan = client.plan_fork(job.id, fork["spec"] | {"dataset": {"id": dataset.id}})
            assert plan.fresh == [] and plan.trainable < plan.parameters
            assert len(client.predict(job.id, rows["rows"]).predictions) == len(rows["rows"])
