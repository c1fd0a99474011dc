"""``python -m supply.audit``: look up known vulnerabilities of everything in the locks, and of torch.

pip-audit asks a database about each package: first the package index, then OSV. Where neither answers about every
package, nothing is known, and the exit code says so: a package that was not looked up is not a package without
vulnerabilities.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from typing import Any

from supply.lock import APART, DEV, ROOT, SERVICE

DATABASES = ("pypi", "osv")
VULNERABLE, UNKNOWN = 1, 3
"""Exit codes."""
PATIENCE = 600
"""Seconds for one database."""


def torch() -> str:
    """What pyproject.toml asks for in place of a line in the lock."""
    asked: list[Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["server"]
    return next(one for one in asked if isinstance(one, str) and one.startswith(APART))


def report(database: str, environment: Mapping[str, str]) -> dict[str, Any] | None:
    """What pip-audit says about every package. None if it cannot say anything."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as apart:
        apart.write(torch() + "\n")
        apart.flush()
        # The digests are checked by those who install. Without pip, nothing is resolved or downloaded.
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--format=json"]
        command += ["--progress-spinner=off", f"--vulnerability-service={database}"]
        command += [f"--requirement={path}" for path in (SERVICE, DEV, apart.name)]
        try:
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE
            )
            return dict(json.loads(done.stdout))
        except (subprocess.TimeoutExpired, ValueError):
            return None


def verdict(found: dict[str, Any] | None) -> tuple[int, str]:
    """The exit code and the sentence for a report."""
    packages = found["dependencies"] if found else []
    known = [(one, flaw) for one in packages for flaw in one.get("vulns", [])]
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    if known:
        return VULNERABLE, "\n".join(
            f"{one['name']} {one['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'no version'}"
            for one, flaw in known
        )
    if not packages or skipped:
        which = f"{len(skipped)} of {len(packages)} packages ({', '.join(skipped[:3])})" if packages else "any package"
        return UNKNOWN, f"no database of vulnerabilities answers here about {which}: nothing is known of their safety"
    return 0, f"no known vulnerability in {len(packages)} packages"


def main(environment: Mapping[str, str] = os.environ) -> int:
    code, said = UNKNOWN, ""
    for database in DATABASES:
        code, said = verdict(report(database, environment))
        if code != UNKNOWN:
            break
    print(said, file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
