"""Privileges that a process gives up for itself and for all that it starts: system calls and capabilities. Linux only.

Sources: Linux kernel, userspace-api/seccomp_filter; seccomp(2), capget(2).
"""

import ctypes
import errno
import os
import platform
import signal
import struct
import sys
from typing import NamedTuple


class _Machine(NamedTuple):
    """Numbers of a processor: the AUDIT_ARCH_* value and system calls. Calls from 424 on are the same everywhere."""

    arch: int
    seccomp: int
    socketpair: int
    prlimit: int
    clone: int
    prctl: int
    refused: tuple[int, ...]


_NEWER = (425, 440, 452, 463, 466, 469)
"""io_uring_setup, process_madvise, fchmodat2, setxattrat, removexattrat, file_setattr."""
_CLONE3 = 435

_MACHINES = {
    "x86_64": _Machine(
        arch=0xC000003E,
        seccomp=317,
        socketpair=53,
        prlimit=302,
        clone=56,
        prctl=157,
        # socket; setpgid, setsid; chmod to lchown; utime, utimes, futimesat, utimensat; fchownat, fchmodat; setxattr
        # to fsetxattr, removexattr to fremovexattr
        refused=(
            *(41, 109, 112, *range(90, 95), 132, 235, 261, 280, 260, 268, *range(188, 191), *range(197, 200)),
            # setpriority, sched_setparam, sched_setscheduler, sched_setaffinity, sched_setattr, ioprio_set
            *(141, 142, 144, 203, 314, 251),
            # migrate_pages, move_pages; shm*, sem*, msg*, mq_open, mq_unlink; add_key, request_key, keyctl
            *(256, 279, *range(29, 32), *range(64, 67), 220, *range(68, 72), 240, 241, *range(248, 251)),
            *_NEWER,
        ),
    ),
    "aarch64": _Machine(
        arch=0xC00000B7,
        seccomp=277,
        socketpair=199,
        prlimit=261,
        clone=220,
        prctl=167,
        # socket; setpgid, setsid; fchmod to fchown; utimensat; setxattr to fsetxattr, removexattr to fremovexattr
        refused=(
            *(198, 154, 157, *range(52, 56), 88, *range(5, 8), *range(14, 17)),
            # setpriority, sched_setparam, sched_setscheduler, sched_setaffinity, sched_setattr, ioprio_set
            *(140, 118, 119, 122, 274, 30),
            # migrate_pages, move_pages; mq_open, mq_unlink, msg*, sem*, shm*; add_key, request_key, keyctl
            *(238, 239, 180, 181, *range(186, 190), *range(190, 194), *range(194, 197), *range(217, 220)),
            *_NEWER,
        ),
    ),
}
_X32 = 0x40000000
"""Added to the numbers of system calls by programs of x86-64 with 32-bit pointers. They are refused altogether."""

_LOAD, _AND, _EQUAL, _AT_LEAST, _HAS_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _FIRST_AT, _SECOND_AT = 0, 4, 16, 24
"""Offsets in `struct seccomp_data`. Both processors store the low half of an argument first."""
_AF_UNIX, _TYPES, _STREAM, _SEQPACKET = 1, 0xF, 1, 5
_CLONE_PARENT = 0x8000
_ALLOW, _REFUSE, _ABSENT = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS

_SET_MODE_FILTER, _GET_ACTION_AVAIL, _ALL_THREADS = 1, 2, 1
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 15, 36, 38
_CAPABILITIES_VERSION = 0x20080522


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def can_refuse_calls() -> bool:
    """Whether `refuse_calls` can work here."""
    machine = _machine()
    action = ctypes.c_uint32(_REFUSE & ~0xFFFF)
    return machine is not None and _libc().syscall(machine.seccomp, _GET_ACTION_AVAIL, 0, ctypes.byref(action)) == 0


def refuse_calls() -> bool:
    """Make system calls that Landlock has no rule for fail with EPERM, in all threads.

    - New sockets of any family, and io_uring, which opens sockets without the call. A pair of connected UNIX sockets
      stays allowed, but not of datagrams: those can be sent to any path.
    - Changes of the mode, owner, times and attributes of any file.
    - Limits, priorities, processors and pages of other processes; shared memory, semaphores, queues and keys that have
      no place in a folder.
    - Leaving the process group, which is killed as a whole; children that are not one's own; and living on after the
      parent. `clone3` seems to be absent, since its arguments cannot be looked at; C libraries then use `clone`.
    - All calls of foreign architectures, which have other numbers.

    False if this kernel, system or processor has no such filter.
    """
    machine = _machine()
    if machine is None or _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    instructions = _filter(machine)
    program = _Program(len(instructions) // 8, instructions)
    return bool(_libc().syscall(machine.seccomp, _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0)


def drop_capabilities() -> None:
    """Give up the privileges of root, if this process has them. Only this thread and what it starts later."""
    if sys.platform == "linux":
        header = struct.pack("Ii", _CAPABILITIES_VERSION, 0)
        if _libc().capset(header, bytes(24)) != 0:
            raise OSError(ctypes.get_errno(), "cannot give up capabilities")


def adopt_orphans() -> None:
    """Become the parent of descendants of this process whose parent ends. Linux only; source: prctl(2)."""
    if _libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot adopt orphans")


def name_process(name: str) -> None:
    """Give this process a name of at most 15 characters, which ps and top show. Linux only; source: prctl(2)."""
    _libc().prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def end_with_parent(parent: int) -> None:
    """In a fork of the process `parent`: be killed when the thread that forked it ends. Source: prctl(2)."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # It ended before the call.
        os._exit(1)


def _filter(machine: _Machine) -> bytes:
    """The program in the kernel's form. Here, jumps name a label; an empty label is the next instruction."""
    lines: tuple[str | tuple[int, int, str, str], ...] = (
        (_LOAD, _ARCH_AT, "", ""),
        (_EQUAL, machine.arch, "", "refuse"),
        (_LOAD, _NUMBER_AT, "", ""),
        (_AT_LEAST, _X32, "refuse", ""),
        *((_EQUAL, number, "refuse", "") for number in machine.refused),
        (_EQUAL, _CLONE3, "absent", ""),
        (_EQUAL, machine.prlimit, "limit", ""),
        (_EQUAL, machine.clone, "clone", ""),
        (_EQUAL, machine.prctl, "prctl", ""),
        (_EQUAL, machine.socketpair, "", "allow"),
        (_LOAD, _FIRST_AT, "", ""),
        (_EQUAL, _AF_UNIX, "", "refuse"),
        (_LOAD, _SECOND_AT, "", ""),
        (_AND, _TYPES, "", ""),
        (_EQUAL, _STREAM, "allow", ""),
        (_EQUAL, _SEQPACKET, "allow", "refuse"),
        "limit",
        (_LOAD, _FIRST_AT, "", ""),
        (_EQUAL, 0, "allow", "refuse"),
        "clone",
        (_LOAD, _FIRST_AT, "", ""),
        (_HAS_BIT, _CLONE_PARENT, "refuse", "allow"),
        "prctl",
        (_LOAD, _FIRST_AT, "", ""),
        (_EQUAL, _PR_SET_PDEATHSIG, "refuse", "allow"),
        "allow",
        (_RETURN, _ALLOW, "", ""),
        "refuse",
        (_RETURN, _REFUSE, "", ""),
        "absent",
        (_RETURN, _ABSENT, "", ""),
    )
    labels: dict[str, int] = {}
    instructions: list[tuple[int, int, str, str]] = []
    for line in lines:
        if isinstance(line, str):
            labels[line] = len(instructions)
        else:
            instructions.append(line)
    return b"".join(
        struct.pack("HBBI", code, *(labels.get(label, place + 1) - place - 1 for label in (true, false)), value)
        for place, (code, value, true, false) in enumerate(instructions)
    )


def _machine() -> _Machine | None:
    return _MACHINES.get(platform.machine()) if sys.platform == "linux" and sys.maxsize > 2**32 else None


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
