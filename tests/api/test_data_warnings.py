"""Warnings about data go from the upload to the plan, and are kept with the job."""

import json
from typing import Any

import httpx
import numpy as np

from tests.api import kit
from tests.api.kit import Installation

RNG = np.random.default_rng(1)
ROWS = [(1000 + at, f"{RNG.standard_normal():.3f}", "AB"[at % 2], "ab"[at % 2]) for at in range(60)]
TABLE = "customer_id,x,copy,label\n" + "".join(",".join(map(str, row)) + "\n" for row in ROWS)


def codes(answer: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(warned["code"], warned["column"]) for warned in answer["warnings"]]


def planned(client: httpx.Client, wanted: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/v1/jobs", params={"validate_only": True}, json=wanted)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_job_keeps_the_warnings_that_concern_it(house: Installation, client: httpx.Client) -> None:
    dataset = kit.upload(client, "a.csv", TABLE.encode())
    assert codes(dataset) == [("identifier", "customer_id"), ("determines_target", "copy")]
    short: dict[str, Any] = {"hyperparameters": {"epochs": 1}}
    plan = planned(client, kit.spec("linear", dataset["id"], **short))
    roles = {column["name"]: (column["role"], column["reason"]) for column in plan["columns"]}
    assert roles["customer_id"][0] == "left_out" and "60 values all differ" in roles["customer_id"][1]
    assert ("determines_target", "copy") in codes(plan) and ("identifier", "customer_id") not in codes(plan)
    without = kit.spec("linear", dataset["id"], choice={"inputs": ["x"]})
    assert not [code for code, column in codes(planned(client, without)) if column]
    named = kit.spec("linear", dataset["id"], choice={"inputs": ["customer_id", "x"]})
    assert ("identifier", "customer_id") in codes(planned(client, named))
    job_id = kit.submit(client, kit.spec("linear", dataset["id"], **short))
    kit.train(house.settings)
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["state"] == "succeeded" and codes(job) == [("determines_target", "copy")]
    (listed,) = client.get("/v1/jobs").json()["data"]
    assert listed["warnings"] == job["warnings"]


def test_the_trainer_says_what_depends_on_target_and_parts(house: Installation, client: httpx.Client) -> None:
    rows = [f"{at % 40},{at % 40 * 7 % 11},{'ab'[at % 2]},{'AB'[at % 2]}" for at in range(80)]
    dataset = kit.upload(client, "a.csv", ("x,z,other,label\n" + "\n".join(rows) + "\n").encode())
    wanted = kit.spec("linear", dataset["id"], choice={"target": "other"}, hyperparameters={"epochs": 1})
    assert ("determines_target", "other") not in codes(planned(client, wanted))
    job_id = kit.submit(client, wanted)
    kit.train(house.settings)
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["state"] == "succeeded", job["error"]
    found = codes(job)
    assert ("determines_target", "label") in found
    assert len(found) == len(set(found)) or found.count(("rows_in_two_parts", None)) == 2
    events = client.get(f"/v1/jobs/{job_id}/events").json()["data"]
    told = [event["data"]["code"] for event in events if event["kind"] == "warning"]
    assert "determines_target" in told and "rows_in_two_parts" in told
    logs = client.get(f"/v1/jobs/{job_id}/logs").text
    assert "warning: column 'label' determines the target" in logs


def test_a_number_that_means_a_missing_value_is_settled_in_a_spec(house: Installation, client: httpx.Client) -> None:
    rows = [f"{-999 if at % 10 == 3 else at % 7 + 10},{at % 5},{'ab'[at % 2]}" for at in range(60)]
    dataset = kit.upload(client, "a.csv", ("temp,x,label\n" + "\n".join(rows) + "\n").encode())
    assert codes(planned(client, kit.spec("linear", dataset["id"]))).count(("missing_marker", "temp")) == 1
    (warned,) = [each for each in dataset["warnings"] if each["code"] == "missing_marker"]
    settled = json.JSONDecoder().raw_decode(warned["suggestion"].partition("set ")[2])[0]["dataset"]
    assert settled == {"features": {"temp": {"kind": "number", "missing": ["-999"]}}}
    wanted = kit.spec("linear", dataset["id"], choice=settled, hyperparameters={"epochs": 1})
    assert ("missing_marker", "temp") not in codes(planned(client, wanted))
    job_id = kit.submit(client, wanted)
    kit.train(house.settings)
    answers = [
        client.post(f"/v1/jobs/{job_id}/predict", json={"rows": [{"temp": cell, "x": 2}]}).json()
        for cell in (-999, "-999.0", None)
    ]
    assert all(("missing_values", "temp") in codes(answer) for answer in answers)
    assert len({str(answer["predictions"]) for answer in answers}) == 1


def test_nothing_left_to_learn_from(client: httpx.Client) -> None:
    content = "id,batch,label\n" + "".join(f"{at},x,{'ab'[at % 2]}\n" for at in range(50))
    dataset = kit.upload(client, "a.csv", content.encode())
    answer = client.post("/v1/jobs", json=kit.spec("linear", dataset["id"]))
    kit.fault(answer, "/dataset/inputs", "nothing_left")
    (error,) = answer.json()["errors"]
    assert "2 columns" in error["message"] and "'id': it" in error["message"] and "'batch': all 50" in error["message"]
    named = client.post("/v1/jobs", json=kit.spec("linear", dataset["id"], choice={"inputs": ["id"]}))
    assert named.status_code == 201
