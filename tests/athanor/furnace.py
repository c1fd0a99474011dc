"""What `api.up` is to the demo, without the learning: two jobs that end well after a few looks.

`python -m tests.athanor.furnace --port P --data DIR [...]`, stopped by SIGTERM. FURNACE says what goes wrong.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from tests.athanor.answers import a_checkpoint, a_dataset, a_job, points
from tests.athanor.stub import Asked, Reply, Stub, as_json, in_turn, problem, serve, weights


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--data", type=Path)
    known, _ = parser.parse_known_args()
    wrong = os.environ.get("FURNACE", "")
    if wrong == "stops":
        sys.exit("the database is broken")
    known.data.mkdir(parents=True)
    (known.data / "admin.key").write_text("ath_demo\n")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with serve(known.port) as stub:
        _light(stub, wrong)
        signal.sigwait({signal.SIGTERM})
    Path("stopped").touch()


def _light(stub: Stub, wrong: str) -> None:
    stub.on("GET", "/readyz", in_turn(problem(503, "starting", "not yet"), as_json({"status": "ready"})))
    stub.on("POST", "/v1/jobs", _submit)
    for name in ("digits", "docstrings"):
        path = f"/v1/jobs/job_{name}"
        end = {"state": "succeeded", "latest": {"test/accuracy": {"step": 60, "value": 0.95}}}
        if wrong == "fails":
            end = {"state": "failed", "error": {"code": "diverged", "message": "the loss is NaN"}}
        named = {"id": f"job_{name}", "name": name, "dataset_id": name}
        if wrong == "lasts":
            stub.on("GET", path, as_json(a_job(**named)))
        else:
            stub.on("GET", path, in_turn(as_json(a_job(**named)), as_json(a_job(**named | end))))
        stub.on("GET", f"{path}/checkpoints/best", as_json(a_checkpoint()))
        stub.on("GET", f"{path}/checkpoints/best/weights", weights(name.encode()))
        stub.on("HEAD", f"{path}/checkpoints/best/weights", weights(name.encode()))
        stub.on("POST", f"{path}/predict", _predict)
        stub.on("GET", f"{path}/metrics", as_json(points(3, train_loss=([1, 2, 3], [3, 2, 1]), val_loss=([3], [1.5]))))
        stub.on("GET", f"/v1/datasets/{name}", as_json(a_dataset()))


def _submit(asked: Asked) -> Reply:
    if asked.headers.get("authorization") != "Bearer ath_demo":
        return problem(401, "unauthorized", "no such key")
    return as_json(a_job(id=f"job_{asked.json['name']}", state="queued"), 201)


def _predict(asked: Asked) -> Reply:
    said = {"label": "asyncio", "probabilities": {"asyncio": 0.9, "email": 0.1}}
    return as_json({"checkpoint_id": "ckpt_1", "predictions": [said for _ in asked.json["rows"]]})


if __name__ == "__main__":
    main()
