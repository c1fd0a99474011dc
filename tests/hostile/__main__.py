"""`make hostile`: send the whole corpus to a service. The exit code is 1 if a case broke its bounds."""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.hostile.case import MIB, Case, Target
from tests.hostile.corpus import cases
from tests.hostile.service import seeded
from tests.hostile.watch import Watch

ENDED = "the service has ended"


@dataclass
class Sent:
    """What happened when a case was sent."""

    wrong: list[str]
    slow: list[str]
    """Its bounds of time that did not hold: its own, and what others may wait."""
    figures: str


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
            sent = send(case, target, api)
            if sent.slow and not sent.wrong:
                # The processors are shared with others, and the longest of many waits counts: a delay must come twice.
                print(f"  once more, since {sent.slow}: {case.name}: {sent.figures}", flush=True)
                sent = send(case, target, api)
            faults = sent.wrong + sent.slow
            for fault in faults:
                print(f"  BROKEN {case.name}: {fault}", flush=True)
            if faults or chosen.names:
                print(f"  {case.name}: {sent.figures}", flush=True)
            broken += bool(faults)
            if ENDED in faults:
                break
        assert target.request("GET", "/readyz").status == 200, "the service is not ready any more"
    print(f"{len(asked)} cases in {time.monotonic() - began:.0f} s, {broken} broke their bounds")
    return 1 if broken else 0


def send(case: Case, target: Target, api: psutil.Process) -> Sent:
    """Make the content of a case, then send it while the service is watched."""
    sending = case.ready()
    wrong, slow, status = [], [], "no answer"
    with Watch(api, target.port) as watch:
        began = time.monotonic()
        try:
            answer = sending(target)
            status = str(answer.status)
            wrong += [fault] if (fault := case.fault(answer)) else []
        except (httpx.HTTPError, OSError, AssertionError, ValueError) as error:
            wrong.append(f"there is no answer to judge: {error!r}")
        took = time.monotonic() - began
    wrong += watch.failures
    if watch.memory > case.memory:
        wrong.append(f"it took {watch.memory / MIB:,.0f} MiB of {case.memory / MIB:,.0f}")
    if took > case.seconds:
        slow.append(f"it took {took:.1f} s of {case.seconds:g}")
    if watch.wait > case.others:
        slow.append(f"somebody else waited {watch.wait:.2f} s of {case.others:g}")
    if not api.is_running() or api.status() == psutil.STATUS_ZOMBIE:
        wrong.append(ENDED)
    figures = f"{status}, {took:.2f} s, {watch.memory / MIB:,.0f} MiB, others {1000 * watch.wait:.0f} ms"
    return Sent(wrong, slow, figures)


if __name__ == "__main__":
    raise SystemExit(main())
