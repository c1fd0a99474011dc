"""Limits and sandbox of a child process that works on untrusted input."""

import contextlib
import errno
import logging
import os
import resource
import site
import sys
from collections.abc import Iterable
from pathlib import Path

from athanor.processes import privileges

if sys.platform == "linux":
    from landlockpy import AccessFS, AccessNet, LandlockError, Ruleset, Scope, abi_version

    _OF_FILES = AccessFS.EXECUTE | AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.TRUNCATE | AccessFS.IOCTL_DEV

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[2]
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/sys")
ABOUT = ("self", "cpuinfo", "meminfo", "stat", "devices", "driver", "sys", "version")
"""Readable entries below /proc. Entries of other processes are excluded: a supervisor's environment has secrets."""
DEVICES = ("null", "zero", "random", "urandom")

LANDLOCK = {
    "opening files outside its folder": 1,
    "truncating files outside its folder": 3,
    "signalling other processes": 6,
}
"""What Landlock prevents, and the first version of the Landlock ABI that prevents it."""
CALLS = "opening sockets, changing the modes of files, and slowing other processes down"
"""What the filter of system calls prevents. Without it, Landlock still prevents TCP."""
WALLS = (*LANDLOCK, CALLS)


def environment(folder: str | Path) -> dict[str, str]:
    """The environment of a child, without secrets. Libraries use few threads, because each reserves memory."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_IO_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    # Otherwise Arrow's allocator starts a thread, and a process with a second thread cannot fork safely.
    threads |= {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
    # Otherwise its other allocator takes a gigabyte at its first use, which counts against limits.
    threads |= {"MIMALLOC_ARENA_EAGER_COMMIT": "0"}
    return kept | threads | {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)}


def confine(memory: int, seconds: int, file: int) -> None:
    """Limit this process: bytes of address space, seconds of processor time, bytes of each file."""
    _bound({resource.RLIMIT_AS: memory, resource.RLIMIT_CPU: seconds, resource.RLIMIT_FSIZE: file})


def leave(memory: int) -> None:
    """Let this process have `memory` bytes more of private memory than it has now. Linux only."""
    if sys.platform == "linux":
        held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        _bound({resource.RLIMIT_DATA: held + memory})


def confine_training(memory: int) -> None:
    """Limit the private memory of this process, and the size of each file, to `memory` bytes.

    Address space that CUDA reserves but does not use does not count. Above the limit, an allocation raises MemoryError
    or RuntimeError. Without the limit, the kernel would choose a process to kill.
    """
    _bound({resource.RLIMIT_DATA: memory, resource.RLIMIT_FSIZE: memory, resource.RLIMIT_NOFILE: 4096})


def _bound(bounds: dict[int, int]) -> None:
    for kind, bound in {**bounds, resource.RLIMIT_CORE: 0}.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (bound, bound))


def code(*packages: str) -> list[Path]:
    """Paths that a Python process must read: these packages of the service, all other modules, and system libraries."""
    modules = [Path(entry).resolve() for entry in sys.path if entry]
    # A checkout may hold a key. Where the client is installed as a package, this is the folder of all packages.
    checkout = None if str(_ROOT) in (*site.getsitepackages(), site.getusersitepackages()) else _ROOT
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    return [
        *(_ROOT / name for name in packages),
        *(place for place in modules if place != checkout),
        *map(Path, (sys.prefix, sys.base_prefix, *SYSTEM)),
        *(Path(library) for library in libraries if library),
        *(Path("/proc", name) for name in ABOUT),
    ]


def devices() -> list[Path]:
    """Device files that every process may use. GPUs are not included."""
    return [Path("/dev", name) for name in DEVICES]


def missing() -> list[str]:
    """The entries of WALLS that this kernel cannot enforce."""
    version = abi_version() if sys.platform == "linux" else 0
    return [*_beyond(version), *([] if privileges.can_refuse_calls() else [CALLS])]


def warn() -> None:
    """Log what this kernel cannot prevent, at the start of a process that starts enclosed children."""
    if gaps := missing():
        logger.warning("this kernel cannot keep processes that work on untrusted input from %s", ", ".join(gaps))


def enclose(readable: Iterable[Path], writable: Iterable[Path], devices: Iterable[Path]) -> list[str]:
    """Restrict this thread, and all threads and processes that it starts, to these paths.

    Signals to outside processes, and what `refuse_calls` names, are forbidden too. Returns the entries of WALLS that
    the kernel cannot enforce. Source: Linux kernel, userspace-api/landlock, "Previous limitations".
    """
    gaps = _restrict(readable, writable, devices)
    privileges.drop_capabilities()
    return [*gaps, *([] if privileges.refuse_calls() else [CALLS])]


def _restrict(readable: Iterable[Path], writable: Iterable[Path], devices: Iterable[Path]) -> list[str]:
    """The part of `enclose` that Landlock does."""
    if sys.platform != "linux":
        return _beyond(0)
    read = AccessFS.EXECUTE | AccessFS.READ_FILE | AccessFS.READ_DIR
    use = AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.IOCTL_DEV
    tcp, others = AccessNet.BIND_TCP | AccessNet.CONNECT_TCP, Scope.SIGNAL | Scope.ABSTRACT_UNIX_SOCKET
    try:
        with Ruleset(handled_net=tcp, scoped=others) as rules:
            for access, places in ((read, readable), (rules.handled_fs, writable), (use, devices)):
                for place in places:
                    # os.path.exists returns False if permission is denied; Path.exists raises.
                    if os.path.exists(place):
                        # The kernel refuses the rights of folders for a file.
                        rules.allow_path(place, access if place.is_dir() else access & _OF_FILES)
            rules.restrict()
    except LandlockError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            return _beyond(0)
        raise
    return _beyond(rules.abi_version)


def _beyond(version: int) -> list[str]:
    return [wall for wall, since in LANDLOCK.items() if version < since]
