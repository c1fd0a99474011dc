"""The command line against a stub, in this process."""

from click.testing import CliRunner, Result

from athanor.cli import main
from tests.athanor.stub import Stub


def run(stub: Stub, *words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(main, ["--url", stub.url, "--key", "k", *words], input=text)
