"""Shutting a process in: its own empty folder, no network, bounded memory, processors, files and processes.

What the system allows is used, and `confine` says what that was. Linux: namespaces (network, processes), Landlock (files, also
without root; M. Salaün, "Landlock: unprivileged access control", docs.kernel.org), seccomp (system calls); where we are root, another
user in a file system of his own. macOS: limits only. Windows: nothing here; the time limit and the end of the whole process tree are the
caller's. Everywhere: a Python audit hook that refuses files outside, connections, and looking into other processes.
"""

import contextlib
import ctypes
import errno
import os
import struct
import sys
from pathlib import Path

from common.grading import private_root

_NEWNET, _NEWPID, _NEWUSER, _NEWIPC, _NEWNS = 0x40000000, 0x20000000, 0x10000000, 0x08000000, 0x00020000
_FIRST_USER = 61_000
_READ = (1 << 0) | (1 << 2) | (1 << 3)  # execute, read a file, list a folder
_ALL = (1 << 13) - 1  # what Landlock's first version knows
_BY_VERSION = {2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_FILE_ONLY = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 14) | (1 << 15)


# System calls that no exercise makes, on x86-64 and on 64-bit ARM. Sockets also reach services on this machine, by files; the others look into
# processes, leave the sandbox, or (io_uring) make calls that a filter does not see. Pairs of sockets, which processes share work with, stay.
_REFUSED = {
    "x86_64": {"socket": 41, "ptrace": 101, "mount": 165, "keyctl": 250, "unshare": 272, "perf_event_open": 298, "setns": 308, "process_vm_readv": 310,
               "process_vm_writev": 311, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425},
    "aarch64": {"socket": 198, "ptrace": 117, "mount": 40, "keyctl": 219, "unshare": 97, "perf_event_open": 241, "setns": 268, "process_vm_readv": 270,
                "process_vm_writev": 271, "bpf": 280, "userfaultfd": 282, "io_uring_setup": 425},
}
# Landlock does not know these, and honest programs make them, when they copy a file: they are told that it is done.
_PRETENDED = {
    "x86_64": {"chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94, "utime": 132, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190,
               "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "utimes": 235, "fchownat": 260, "futimesat": 261, "fchmodat": 268,
               "utimensat": 280, "fchmodat2": 452},
    "aarch64": {"setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "fchmod": 52, "fchmodat": 53,
                "fchownat": 54, "fchown": 55, "utimensat": 88, "fchmodat2": 452},
}
_MACHINE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def _libc():
    return ctypes.CDLL(None, use_errno=True)


def leave_namespaces(tree=False):
    """Enter a process tree and a network of one's own, and what is mounted, if asked; only the next child is in the process tree. True if it worked."""
    if not sys.platform.startswith("linux"):
        return False
    wanted = _NEWNET | _NEWPID | _NEWIPC | (_NEWNS if tree else 0)
    return _libc().unshare(wanted if os.getuid() == 0 else wanted | _NEWUSER) == 0


def die_with_parent():
    """Be killed when the parent ends (Linux)."""
    if sys.platform.startswith("linux"):
        _libc().prctl(1, 9, 0, 0, 0)


def landlock(readable, writable):
    """Allow files below `readable` to be read and below `writable` to be changed, and nothing else. True if it worked."""
    if not sys.platform.startswith("linux"):
        return False
    libc = _libc()
    version = libc.syscall(444, None, 0, 1)
    if version < 1:
        return False
    handled = _ALL | sum(bit for least, bit in _BY_VERSION.items() if version >= least)
    rules = libc.syscall(444, struct.pack("<QQ", handled, 3 if version >= 4 else 0), 16 if version >= 4 else 8, 0)
    if rules < 0:
        return False
    for paths, rights in ((readable, _READ), (writable, handled)):
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            allowed = rights if os.path.isdir(path) else rights & _FILE_ONLY
            libc.syscall(445, rules, 1, struct.pack("<Qi", allowed, fd), 0)
            os.close(fd)
    libc.prctl(38, 1, 0, 0, 0)
    return libc.syscall(446, rules, 0) == 0


def refuse_calls():
    """Answer the calls of `_REFUSED` with "permission denied" from now on, here and in every child, and do nothing for those of `_PRETENDED`.

    True if it worked.
    """
    name = os.uname().machine if sys.platform.startswith("linux") and sys.maxsize > 1 << 32 else ""
    if name not in _MACHINE:
        return False
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06  # of the filter's language (linux/bpf_common.h)
    allow, deny, pretend = 0x7FFF0000, 0x00050000 | errno.EACCES, 0x00050000
    # a call of another numbering (32 bits) is refused as well; 4 and 0 are offsets in struct seccomp_data
    program = [(load, 0, 0, 4), (equal, 1, 0, _MACHINE[name]), (answer, 0, 0, deny), (load, 0, 0, 0), (at_least, 0, 1, 0x40000000), (answer, 0, 0, deny)]
    for calls, verdict in ((_REFUSED[name], deny), (_PRETENDED[name], pretend)):
        for number in calls.values():
            program += [(equal, 0, 1, number), (answer, 0, 0, verdict)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in [*program, (answer, 0, 0, allow)]))
    libc = _libc()
    libc.prctl(38, 1, 0, 0, 0)
    return libc.prctl(22, 2, struct.pack("<HxxxxxxQ", len(program) + 1, ctypes.addressof(code)), 0, 0) == 0


def drop_capabilities():
    """Keep no right of root's but to own root's files: for a root who cannot become somebody else. True if it worked."""
    if not sys.platform.startswith("linux"):
        return False
    libc = _libc()
    for number in range(64):
        libc.prctl(24, number, 0, 0, 0)
    return libc.capset(struct.pack("<Ii", 0x20080522, 0), bytes(24)) == 0


def _limits(seconds, memory, processes, file_size):
    try:
        import resource
    except ImportError:  # Windows has none
        return
    limits = [("RLIMIT_CPU", seconds), ("RLIMIT_FSIZE", file_size), ("RLIMIT_CORE", 0), ("RLIMIT_NOFILE", 512), ("RLIMIT_NPROC", processes)]
    if sys.platform.startswith("linux"):
        limits.append(("RLIMIT_AS", memory))
    for name, value in limits:
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        value = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        try:
            # at the soft limit of processor time the process learns why it ends, at the hard one it is just gone
            resource.setrlimit(kind, (value, value + 5 if name == "RLIMIT_CPU" and hard == resource.RLIM_INFINITY else value))
        except (ValueError, OSError):
            pass


def _processes_of_user():
    """How many threads this user runs already; the limit counts them."""
    try:
        mine = [p for p in Path("/proc").iterdir() if p.name.isdigit() and p.stat().st_uid == os.getuid()]
        return sum(len(os.listdir(p / "task")) for p in mine if p.exists())
    except OSError:
        return 400


def _refuse_outside(readable, writable):
    """The second line: refuse what the system may not have refused. Python code cannot take the hook away again."""
    readable, writable = [os.path.realpath(p) for p in readable], [os.path.realpath(p) for p in writable]
    changing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    realpath, fsdecode, busy = os.path.realpath, os.fsdecode, [False]

    def below(path, folders):
        path = realpath(fsdecode(path))
        return any(path == f or path.startswith(f.rstrip(os.sep) + os.sep) for f in folders)

    def hook(event, args):
        if busy[0]:
            return
        busy[0] = True
        try:
            if event == "open" and isinstance(args[0], (str, bytes)):
                writes = (isinstance(args[1], str) and set(args[1]) & set("wax+")) or (isinstance(args[2], int) and args[2] & changing)
                if not below(args[0], writable) and (writes or not below(args[0], readable)):
                    raise PermissionError(f"outside the folder of the exercise: {args[0]!r}")
            elif event in ("os.remove", "os.rmdir", "os.rename", "os.mkdir", "os.truncate", "os.chmod", "os.link", "os.symlink", "shutil.rmtree"):
                if not all(below(a, writable) for a in args[:2] if isinstance(a, (str, bytes))):
                    raise PermissionError(f"outside the folder of the exercise: {args[0]!r}")
            elif event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
                raise PermissionError("there is no network for an exercise")
            elif event in ("os.kill", "os.killpg") and args[0] != os.getpid():
                raise PermissionError("other processes are not an exercise's business")
        finally:
            busy[0] = False

    sys.addaudithook(hook)


def become(user):
    """Be a user who owns nothing, for good."""
    os.setgroups([])
    os.setresgid(*[_FIRST_USER + user] * 3)
    os.setresuid(*[_FIRST_USER + user] * 3)
    if sys.platform.startswith("linux"):
        _libc().prctl(4, 1, 0, 0, 0)  # who becomes another user may no longer look into his own /proc/self, as honest programs do


def _tried(steps):
    """Do the steps in a child; True if all of them went through and the last one said yes."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os._exit(0 if steps() else 1)
        os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def what_root_may(files, readable, folder):
    """How far this system lets root shut a process in.

    Parameters
    ----------
    files : sequence of path-like
        What the sandbox must be able to read.
    readable : sequence of path-like
        As for `confine`.
    folder : path-like
        An empty folder to try it in.

    Returns
    -------
    user, tree : bool
        May it become a user who owns nothing, and still read these files? In a file system of its own (`common.grading.private_root`)?
    """
    if not hasattr(os, "fork") or os.getuid() != 0:
        return False, False

    def reads():
        become(0)
        return all(os.access(p, os.R_OK) for p in files)

    def in_a_tree():
        if not leave_namespaces(tree=True):
            return False
        return _tried(lambda: private_root.enter(folder, private_root.readable_paths(readable), (), _FIRST_USER) or reads())  # the child is in the process tree

    tree = sys.platform.startswith("linux") and os.uname().machine in private_root.PIVOT_ROOT and _tried(in_a_tree)
    return tree or _tried(reads), tree


def confine(folder, seconds, memory, file_size=64 << 20, processes=128, readable=(), user=None, root=None):
    """Shut the current process in, for good.

    Parameters
    ----------
    folder : path-like
        The one folder it may change; working directory and home.
    seconds : float
        Processor time.
    memory, file_size : int
        Bytes.
    processes : int
        Processes and threads.
    readable : sequence of path-like
        Folders that it may read besides Python's own.
    user : int, optional
        Number added to the first of the users who own nothing; only as root.
    root : path-like, optional
        An empty folder in which a file system of its own is put together; only as root, and in a namespace of its own.

    Returns
    -------
    list of str
        What was possible.
    """
    folder = os.path.realpath(folder)
    for name in [n for n in os.environ if n not in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT") and not n.startswith(("TF_", "KERAS_", "MPL", "OMP_", "PYTHON", "VECLIB_"))]:
        del os.environ[name]
    os.environ.update(HOME=folder, USERPROFILE=folder, TMPDIR=folder, MPLCONFIGDIR=folder, XDG_CACHE_HOME=folder, KERAS_HOME=folder)
    done, as_root = ["limits", "audit hook"], hasattr(os, "getuid") and os.getuid() == 0
    folders, writable = private_root.readable_paths(readable), [folder, os.devnull]
    if root is not None:
        private_root.enter(root, folders, [folder], _FIRST_USER + (user or 0))
        folders += private_root.stand_in_files()
        writable.append(private_root.SHARED)
        done.append("a file system of its own")
    os.chdir(folder)
    if user is not None and as_root:
        become(user)
        die_with_parent()  # who becomes another user must ask for it anew
        done.append("another user")
    elif hasattr(os, "getuid"):
        processes += _processes_of_user()
    _limits(seconds, memory, processes, file_size)
    if as_root and user is None and drop_capabilities():
        done.append("no capabilities")
    if landlock(folders, writable):
        done.append("Landlock")
    if refuse_calls():
        done.append("seccomp")
    _refuse_outside([*folders, *writable], writable)
    return done
