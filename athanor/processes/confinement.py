"""The bounds of a child process that does what a stranger asks for: memory, time and disk, and no secrets."""

import contextlib
import errno
import os
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

if sys.platform == "linux":
    from landlockpy import AccessFS, AccessNet, LandlockError, Ruleset, Scope

    _OF_FILES = AccessFS.EXECUTE | AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.TRUNCATE | AccessFS.IOCTL_DEV

_ROOT = Path(__file__).resolve().parents[2]
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/sys")
ABOUT = ("self", "cpuinfo", "meminfo", "stat", "devices", "driver", "sys", "version")
"""Below /proc. Of other processes nothing: a supervisor's environment names the database."""
DEVICES = ("null", "zero", "random", "urandom")

WALLS = {
    "opening files outside its folder": 1,
    "truncating files outside its folder": 3,
    "connecting or binding by TCP": 4,
    "signalling other processes": 6,
}
"""What an enclosed process is kept from, and the version of Landlock that began to."""


def environment(folder: str | Path) -> dict[str, str]:
    """No secrets. The other names keep libraries from reserving memory for threads, which counts against the bound."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_IO_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    return kept | threads | {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)}


def confine(memory: int, seconds: int, file: int) -> None:
    """Hold this process, from now on, to bytes of memory, seconds of processor time, and bytes of any one file."""
    _bound({resource.RLIMIT_AS: memory, resource.RLIMIT_CPU: seconds, resource.RLIMIT_FSIZE: file})


def confine_training(memory: int) -> None:
    """Hold this process, from now on, to bytes of memory of its own, and to files no larger.

    What CUDA reserves and does not use is not counted. More than there is raises MemoryError or RuntimeError here,
    rather than have the kernel choose whom to kill.
    """
    _bound({resource.RLIMIT_DATA: memory, resource.RLIMIT_FSIZE: memory, resource.RLIMIT_NOFILE: 4096})


def _bound(bounds: dict[int, int]) -> None:
    for kind, bound in {**bounds, resource.RLIMIT_CORE: 0}.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (bound, bound))


def code(*packages: str) -> list[Path]:
    """What a Python process reads: these packages of the service, every other module, and the system's libraries."""
    modules = [Path(entry).resolve() for entry in sys.path if entry]
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    return [
        *(_ROOT / name for name in packages),
        *(place for place in modules if place != _ROOT),
        *map(Path, (sys.prefix, sys.base_prefix, *SYSTEM)),
        *(Path(library) for library in libraries if library),
        *(Path("/proc", name) for name in ABOUT),
    ]


def devices() -> list[Path]:
    """The devices that any process may use, without those of a GPU."""
    return [Path("/dev", name) for name in DEVICES]


def enclose(readable: Iterable[Path], writable: Iterable[Path], devices: Iterable[Path]) -> list[str]:
    """Let this thread, and whatever it starts, open nothing else from now on.

    It connects to nobody by TCP and binds no port, and signals no process outside. Returns what the kernel cannot keep
    it from: nothing, or all of WALLS where there is no Landlock. Source: Linux kernel, userspace-api/landlock,
    "Previous limitations".
    """
    if sys.platform != "linux":
        return [*WALLS]
    read = AccessFS.EXECUTE | AccessFS.READ_FILE | AccessFS.READ_DIR
    use = AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.IOCTL_DEV
    tcp, others = AccessNet.BIND_TCP | AccessNet.CONNECT_TCP, Scope.SIGNAL | Scope.ABSTRACT_UNIX_SOCKET
    try:
        with Ruleset(handled_net=tcp, scoped=others) as rules:
            for access, places in ((read, readable), (rules.handled_fs, writable), (use, devices)):
                for place in places:
                    # Unlike the path's own `exists`, False too where that is not ours to know.
                    if os.path.exists(place):
                        # The kernel refuses rights over folders on a file.
                        rules.allow_path(place, access if place.is_dir() else access & _OF_FILES)
            rules.restrict()
    except LandlockError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            return [*WALLS]
        raise
    return [wall for wall, since in WALLS.items() if rules.abi_version < since]
