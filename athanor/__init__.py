"""The client of Athanor: submit a training job, watch it learn, download its weights.

The names below are imported on first use, so that a server that imports ``athanor.contract`` loads no HTTP client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from athanor.client import Client
    from athanor.contract import JobSpec
    from athanor.errors import (
        AthanorError,
        Conflict,
        DigestMismatch,
        Invalid,
        JobFailed,
        NotFound,
        ServiceUnavailable,
        TooLarge,
        Unauthorized,
        Unreachable,
    )
    from athanor.version import __version__

__all__ = [
    "AthanorError",
    "Client",
    "Conflict",
    "DigestMismatch",
    "Invalid",
    "JobFailed",
    "JobSpec",
    "NotFound",
    "ServiceUnavailable",
    "TooLarge",
    "Unauthorized",
    "Unreachable",
    "__version__",
]

_HOMES = {"Client": "client", "JobSpec": "contract", "__version__": "version"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'athanor' has no attribute '{name}'")
    return getattr(import_module(f"athanor.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
