"""Known vulnerabilities: what is said of a report, and where no database can be reached."""

import os
from pathlib import Path
from typing import Any

import pytest

from supply import audit

CLEAN = {"name": "six", "version": "1.17.0", "vulns": []}
SKIPPED = {"name": "rich", "skip_reason": "Dependency not found on PyPI and could not be audited: rich (15.0.0)"}
FLAW = {"id": "PYSEC-2026-1", "fix_versions": ["3.0"], "aliases": [], "description": ""}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([CLEAN], 0, "no known vulnerability in 1 packages"),
        ([{**CLEAN, "vulns": [FLAW]}, SKIPPED], audit.VULNERABLE, "six 1.17.0: PYSEC-2026-1, fixed in 3.0"),
        ([CLEAN, SKIPPED], audit.UNKNOWN, "1 of 2 packages (rich)"),
        ([], audit.UNKNOWN, "about any package: nothing is known"),
    ],
)
def test_what_is_said_of_a_report(packages: list[Any], code: int, said: str) -> None:
    found = audit.verdict({"dependencies": packages, "fixes": []})
    assert found[0] == code and said in found[1]


def test_a_database_that_cannot_be_reached_is_no_clean_bill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """pip-audit itself is run, without a network and without what it kept from earlier runs."""
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9") | {"NO_PROXY": "", "no_proxy": ""}
    kept = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "PIP_CACHE_DIR")}
    assert audit.main({**os.environ, **nowhere, **kept}) == audit.UNKNOWN
    assert "nothing is known" in capsys.readouterr().err


def test_torch_is_looked_up_too() -> None:
    assert audit.torch().startswith("torch==")
