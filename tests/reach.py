"""What code that has taken over an enclosed child tries to reach. It runs in the child and prints what it could do."""

import ctypes
import json
import mmap
import os
import platform
import resource
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

MPTCP, IO_URING_SETUP, I386_SOCKET = 262, 425, 359
PTRACE_ATTACH, BAD_ADDRESS = 16, 14
CLONE_NEWNS, MS_BIND = 0x20000, 4096
MAY = {"open a pair of sockets"}
"""The only one of these that an enclosed child may do."""


def _call(number: int, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(number), *arguments) < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")


def _open_as_i386() -> None:
    """Call `socket` by the numbers of 32-bit programs: mov eax, 359; mov ebx, 2; mov ecx, 1; xor edx, edx; int 0x80."""
    if platform.machine() != "x86_64":
        raise OSError("no such processor")
    code = struct.pack("<BIBIBI", 0xB8, I386_SOCKET, 0xBB, 2, 0xB9, 1) + b"\x31\xd2\xcd\x80\x5b\xc3"
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\x53" + code)
    child = os.fork()
    if child == 0:
        # A kernel without 32-bit programs ends this process.
        opened = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        os._exit(0 if opened >= 0 else 1)
    if os.waitpid(child, 0)[1] != 0:
        raise OSError("refused")


def _mount(place: Path) -> None:
    """Bind a folder to itself, in a namespace of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) < 0 or libc.mount(bytes(place), bytes(place), b"", MS_BIND, b"") < 0:
        raise OSError(ctypes.get_errno(), "mount")


def _check(answer: int) -> None:
    if answer < 0:
        raise OSError(ctypes.get_errno(), "refused")


def _leave(how: Callable[[], None]) -> None:
    """In a child: a leader cannot leave its own group."""
    child = os.fork()
    if child == 0:
        try:
            how()
        finally:
            os._exit(int(os.getpgrp() != os.getpid()))
    if os.waitpid(child, 0)[1] != 0:
        raise OSError("refused")


def _follow(secret: Path) -> None:
    Path("link").symlink_to(secret)
    Path("link").read_bytes()


def _send_from_a_pair(path: Path) -> None:
    ours, _ = socket.socketpair(type=socket.SOCK_DGRAM)
    ours.sendto(b"x", str(path))


def tries(victim: int, port: int, listening: Path, log: Path, secret: Path) -> dict[str, Callable[[], object]]:
    """`victim`: a process of the same user. `port`, `listening` and `log`: TCP, UNIX and datagram servers."""
    libc = ctypes.CDLL(None, use_errno=True)
    held = ctypes.create_string_buffer(8)
    piece = (ctypes.c_size_t * 2)(ctypes.addressof(held), 8)

    def attach() -> None:
        if libc.ptrace(PTRACE_ATTACH, victim, 0, 0) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def read_memory() -> None:
        if libc.process_vm_readv(victim, piece, 1, piece, 1, 0) < 0 and ctypes.get_errno() != BAD_ADDRESS:
            raise OSError(ctypes.get_errno(), "process_vm_readv")

    return {
        "read a secret": secret.read_bytes,
        "list its folder": lambda: os.listdir(secret.parent),
        "follow a link to it": lambda: _follow(secret),
        "make a hard link to it": lambda: os.link(secret, "hard"),
        "write beside it": lambda: (secret.parent / "planted").write_text("x"),
        "change its mode": lambda: secret.chmod(0o777),
        "change the mode of what can be read": lambda: os.chmod(json.__file__, os.stat(json.__file__).st_mode),
        "change its times": lambda: os.utime(secret),
        "change its attributes": lambda: os.setxattr(secret, "user.mine", b"x"),
        "change its owner": lambda: os.chown(secret, os.getuid(), -1),
        "limit the victim": lambda: resource.prlimit(victim, resource.RLIMIT_CORE, (0, 0)),
        "truncate it": lambda: os.truncate(secret, 0),
        "remove it": secret.unlink,
        "slow the victim down": lambda: os.setpriority(os.PRIO_PROCESS, victim, 19),
        "move the victim": lambda: os.sched_setaffinity(victim, {0}),
        "idle the victim": lambda: os.sched_setscheduler(victim, os.SCHED_IDLE, os.sched_param(0)),
        "share memory": lambda: _check(libc.shmget(0, 4096, 0o1600)),
        "live on after the parent": lambda: _check(libc.prctl(1, 0, 0, 0, 0)),
        "leave the group": lambda: _leave(os.setsid),
        "make a group": lambda: _leave(os.setpgrp),
        "mount": lambda: _mount(secret.parent),
        "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
        "read the victim's environment": Path(f"/proc/{victim}/environ").read_bytes,
        "read the victim's memory by a file": Path(f"/proc/{victim}/mem").open,
        "list the victim's files": lambda: os.listdir(f"/proc/{victim}/fd"),
        "read the victim's memory": read_memory,
        "trace the victim": attach,
        "signal the victim": lambda: os.kill(victim, signal.SIGCONT),
        "signal by a descriptor": lambda: signal.pidfd_send_signal(os.pidfd_open(victim), signal.SIGCONT),
        "connect by TCP": lambda: socket.create_connection(("127.0.0.1", port), 2),
        "connect by TCP over IPv6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM),
        "listen by TCP": lambda: socket.create_server(("127.0.0.1", 0)),
        "connect by MPTCP": lambda: socket.socket(proto=MPTCP).connect(("127.0.0.1", port)),
        "send by UDP": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)),
        "connect by a UNIX path": lambda: socket.socket(socket.AF_UNIX).connect(str(listening)),
        "listen at a UNIX path": lambda: socket.socket(socket.AF_UNIX).bind("mine.sock"),
        "listen at an abstract name": lambda: socket.socket(socket.AF_UNIX).bind("\0mine"),
        "send to a UNIX path": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", str(log)),
        "send to a UNIX path from a pair": lambda: _send_from_a_pair(log),
        "open a vsock": lambda: socket.socket(socket.AF_VSOCK),
        "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "set up io_uring": lambda: _call(IO_URING_SETUP, 1, ctypes.create_string_buffer(256)),
        "open a socket as a 32-bit program": _open_as_i386,
        "open a pair of sockets": socket.socketpair,
    }


def main() -> None:
    victim, port, listening, log, secret = sys.argv[1:6]
    done = {}
    for name, reach in tries(int(victim), int(port), Path(listening), Path(log), Path(secret)).items():
        try:
            reach()
            done[name] = "done"
        except OSError as error:
            done[name] = type(error).__name__
    print(json.dumps(done))


if __name__ == "__main__":
    main()
