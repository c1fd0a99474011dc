"""What an enclosed child may read of the code."""

import site
from pathlib import Path

import pytest

from athanor.processes import confinement


def test_a_checkout_is_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold a key. The folder of installed packages is read as a whole, wherever it is."""
    root = confinement._ROOT
    monkeypatch.syspath_prepend(str(root))
    assert root not in confinement.code("athanor") and root / "athanor" in confinement.code("athanor")
    packages = Path(site.getusersitepackages())
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setattr(confinement, "_ROOT", packages)
    assert packages in confinement.code("athanor")
