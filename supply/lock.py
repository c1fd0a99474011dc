"""``python -m supply.lock``: write the two locks from the ranges in pyproject.toml.

requirements.lock has what the service runs on, requirements-dev.lock what the tests and tools need besides. Each
package has the digests of all its files, and says for which systems and Pythons it is. `--upgrade` takes the newest
versions; without it, versions stay as long as the ranges allow them.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SERVICE, DEV = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
OLDEST_PYTHON = "3.11"
APART = "torch"
"""Its builds have digests of their own: of CPUs, of each CUDA, of each machine. It is installed by its version."""
HEADER = f"""\
# `make lock` writes this file. Each package has the SHA-256 of every file that the package index has of it.
# {APART} is installed by its version, and so is what only some of its builds need.
"""


def compiled(groups: list[str], preferred: str, *options: str) -> str:
    """The requirements of these groups for all systems, with digests. `preferred` is a lock with versions to keep."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made.lock")
        made.write_text(preferred)
        command = ["uv", "pip", "compile", "pyproject.toml", "--universal", "--generate-hashes", "--no-header"]
        command += [f"--python-version={OLDEST_PYTHON}", "--annotation-style=line", f"--output-file={made}", *options]
        command += [f"--group={group}" for group in groups]
        places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": places}, stdout=subprocess.DEVNULL, check=True)
        return made.read_text()


def blocks(lock: str) -> dict[str, str]:
    """Each package with its digests, by its first line: ``name==version ; marker``."""
    found = re.findall(r"^(\w[^\n\\]*?) *\\\n((?: +.*\n)+)", lock, re.MULTILINE)
    return {first: f"{first} \\\n{rest}" for first, rest in found}


def without_builds(lock: dict[str, str]) -> dict[str, str]:
    """The lock without APART, and without what is there for some builds of it: packages under a condition."""
    gone = {first for first in lock if first.split("==")[0] == APART}
    while True:
        names = {first.split("==")[0] for first in gone}
        more = {
            first
            for first, block in lock.items()
            if ";" in first and {*re.findall(r"# via (.*)", block)[0].split(", ")} <= names
        } - gone
        if not more:
            return {first: block for first, block in lock.items() if first not in gone}
        gone |= more


def main(arguments: list[str] | None = None) -> int:
    options = sys.argv[1:] if arguments is None else arguments
    held = "".join(path.read_text() for path in (SERVICE, DEV) if path.exists())
    everything = compiled(["build", "dev"], held, *options)
    service = without_builds(blocks(compiled(["build", "server"], everything)))
    dev = {first: block for first, block in without_builds(blocks(everything)).items() if first not in service}
    for path, lock in ((SERVICE, service), (DEV, dev)):
        path.write_text(HEADER + "".join(lock.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
