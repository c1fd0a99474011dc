"""Where calls cannot be refused, that is told."""

import platform
import sys

import pytest

from athanor.processes import confinement, privileges


@pytest.mark.parametrize(("system", "processor"), [("darwin", "arm64"), ("linux", "riscv64")])
def test_another_system_refuses_no_calls(monkeypatch: pytest.MonkeyPatch, system: str, processor: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: processor)
    assert not privileges.can_refuse_calls() and not privileges.refuse_calls()
    assert confinement.CALLS in confinement.missing()


@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_every_jump_of_the_filter_stays_in_it(processor: str) -> None:
    """A jump past the end makes the kernel refuse the whole filter, on a processor that these tests may not meet."""
    program = privileges._filter(privileges._MACHINES[processor])
    length = len(program) // 8
    for place in range(length):
        true, false = program[8 * place + 2], program[8 * place + 3]
        assert place + 1 + max(true, false) < length or program[8 * place : 8 * place + 2] == b"\x06\x00"
