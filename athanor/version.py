"""The version of Athanor."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("athanor")
except PackageNotFoundError:
    __version__ = "0.2.0"
