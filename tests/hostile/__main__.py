"""`make hostile`: send the whole corpus to a service. The exit code is 1 if a case broke its bounds."""

import argparse
import tempfile
import time
from pathlib import Path

import psutil

from tests.hostile.case import MIB, Case, Target
from tests.hostile.corpus import cases
from tests.hostile.service import seeded
from tests.hostile.watch import Watch

OTHERS = 0.25
"""Seconds that somebody else waits at most. Sender, watcher and service share the processors."""
WAITS_MORE = 60.0
"""Seconds for the children of a case to end."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make hostile", description=__doc__)
    parser.add_argument("names", nargs="*", help="send only cases whose name holds one of these")
    chosen = parser.parse_args()
    asked = [case for case in cases() if not chosen.names or any(name in case.name for name in chosen.names)]
    broken = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, seeded(Path(folder)) as (target, service):
        api = psutil.Process(service.processes[0].pid)
        for case in asked:
            faults, figures = send(case, target, api)
            for fault in faults:
                print(f"  BROKEN {case.name}: {fault}", flush=True)
            if faults or chosen.names:
                print(f"  {case.name}: {figures}", flush=True)
            broken += bool(faults)
        assert target.request("GET", "/readyz").status == 200, "the service is not ready any more"
    print(f"{len(asked)} cases in {time.monotonic() - began:.0f} s, {broken} broke their bounds")
    return 1 if broken else 0


def send(case: Case, target: Target, api: psutil.Process) -> tuple[list[str], str]:
    """Send a case. Returns what is wrong with what happened, and the figures."""
    with Watch(api, target.port) as watch:
        began = time.monotonic()
        answer = case.send(target)
        took = time.monotonic() - began
    faults = [fault] if (fault := case.fault(answer)) else []
    if took > case.seconds:
        faults.append(f"it took {took:.1f} s of {case.seconds:g}")
    if watch.memory > case.memory:
        faults.append(f"it took {watch.memory / MIB:,.0f} MiB of {case.memory / MIB:,.0f}")
    if watch.wait > OTHERS:
        faults.append(f"somebody else waited {watch.wait:.2f} s of {OTHERS}")
    if not api.is_running():
        faults.append("the service has ended")
    return faults, f"{answer.status}, {took:.2f} s, {watch.memory / MIB:,.0f} MiB, others {1000 * watch.wait:.0f} ms"


if __name__ == "__main__":
    raise SystemExit(main())
