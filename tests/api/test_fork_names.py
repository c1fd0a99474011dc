"""The name of a fork."""

import pytest

from api.routes import forks
from athanor.contract import Fork, Job
from tests.athanor.answers import a_job


def _named(parent: str | None, **changes: object) -> str | None:
    submitted = {"architecture": {"kind": "mlp"}, "dataset": {"id": "iris"}, "name": parent}
    answer = a_job(name=parent, submitted={name: value for name, value in submitted.items() if value is not None})
    return forks._spec(Job.model_validate(answer), Fork.model_validate({"spec": changes})).name


@pytest.mark.parametrize(
    ("parent", "fork"),
    [
        ("reviews", "reviews (fork)"),
        ("reviews (fork)", "reviews (fork 2)"),
        ("reviews (fork 9)", "reviews (fork 10)"),
        ("a (fork) of b", "a (fork) of b (fork)"),
        ("r" * 200, "r" * 193 + " (fork)"),
        (None, None),
    ],
)
def test_a_fork_has_a_name_of_its_own(parent: str | None, fork: str | None) -> None:
    assert _named(parent) == fork


def test_the_patch_decides() -> None:
    assert _named("reviews", name="again") == "again"
    assert _named("reviews", name=None) is None
