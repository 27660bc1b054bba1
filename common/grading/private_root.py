"""A file system of its own for a sandbox: only what is named is there, and only its folder can be written to.

Where the grader is root, a submission works as a user without rights, in a tree that is put together from bind mounts (Linux,
mount_namespaces(7), pivot_root(2)): the same paths, but ``/home``, ``/root``, other submissions and the kit's answers are not there
at all, ``/etc`` holds what Python reads, ``/dev/shm`` is empty, and ``/proc`` knows the sandbox's processes only. So Python may lie where only root may
look, as it does where pyenv has put it into root's home.
"""

import ctypes
import os
import sys
import sysconfig
from pathlib import Path

# What programs read of these folders when they look for libraries, letters, time zones, certificates, and the machine they run on
_ETC = ("alternatives", "ca-certificates", "crypto-policies", "debian_version", "fonts", "host.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
        "locale.alias", "localtime", "mime.types", "nsswitch.conf", "os-release", "OpenCL", "pki", "redhat-release", "resolv.conf", "ssl", "terminfo", "timezone", "vulkan")
_DEV = ("null", "zero", "full", "random", "urandom")
_PROC = ("self", "cpuinfo", "meminfo", "stat", "loadavg", "version", "filesystems")
_SYS = ("devices/system", "fs/cgroup")
_SYSTEM_PREFIXES = ("/usr", "/usr/local")
_OF_PREFIX = ("bin", "sbin", "lib", "lib32", "lib64", "libexec", "share", "include", "cuda")
_STAND_INS = {"passwd": "nobody:x:{user}:{user}:nobody:/:/bin/false\n", "group": "nogroup:x:{user}:\n"}
SHARED = "/dev/shm"
_RDONLY, _NOSUID, _NODEV, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 32, 4096, 1 << 14, 1 << 18
_DETACH = 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}


def _of_prefix(prefix):
    """What belongs to a Python that lies in `prefix`: all of it, but of the system's folders only those with libraries and programs."""
    prefix = str(prefix)
    return [os.path.join(prefix, name) for name in _OF_PREFIX] if prefix in _SYSTEM_PREFIXES else [prefix]


def readable_paths(extra=()):
    """What any Python program reads: the system's libraries, Python and its packages, and `extra`.

    Parameters
    ----------
    extra : sequence of path-like

    Returns
    -------
    list of str
        Files and folders that are there. ``/dev/shm``, accounts, other processes and whatever else lies on the machine are not among them.
    """
    packages = [p for p in sys.path if p and ("site-packages" in p or "dist-packages" in p)]
    if sys.platform.startswith("linux"):
        system = [f"/etc/{n}" for n in _ETC] + [f"/dev/{n}" for n in _DEV] + [f"/proc/{n}" for n in _PROC] + [f"/sys/{n}" for n in _SYS]
        system += ["/bin", "/sbin", "/lib", "/lib32", "/lib64", *(p for prefix in _SYSTEM_PREFIXES for p in _of_prefix(prefix))]
    else:
        system = ["/usr", "/bin", "/sbin", "/etc", "/dev", "/opt", "/System", "/Library", os.environ.get("SYSTEMROOT", "")]
    pythons = [p for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix} for p in _of_prefix(prefix)]
    found = dict.fromkeys([*system, *pythons, sysconfig.get_path("stdlib"), *packages, *map(str, extra)])
    return [p for p in found if p and os.path.exists(p)]


class _Mounts:
    """Calls of the system that change what is mounted; OSError if one is refused."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)

    def mount(self, source, target, kind, flags, data=None):
        source, target, kind, data = (x if x is None else os.fsencode(x) for x in (source, target, kind, data))
        if self.libc.mount(source, target, kind, ctypes.c_ulong(flags), data):
            raise OSError(ctypes.get_errno(), "mount", os.fsdecode(target))

    def bind(self, path, target, writable=False):
        self.mount(path, target, None, _BIND | _REC)
        if not writable:
            self.mount(None, target, None, _BIND | _REMOUNT | _RDONLY | _NOSUID)

    def pivot(self, root):
        os.chdir(root)
        if self.libc.syscall(PIVOT_ROOT[os.uname().machine], b".", b"."):
            raise OSError(ctypes.get_errno(), "pivot_root", str(root))
        if self.libc.umount2(b".", _DETACH):
            raise OSError(ctypes.get_errno(), "umount2", "/")
        os.chdir("/")


def spelled(path):
    """The links that are met on the way to a path, and what they lead to in the end: none of these has a link above it."""
    here, rest = "/", os.path.abspath(path).split(os.sep)[1:]
    for _ in range(100):  # links may lead in a circle
        if not rest:
            yield here
            return
        here, rest = os.path.join(here, rest[0]), rest[1:]
        if os.path.islink(here):
            yield here
            here, rest = "/", [*os.path.abspath(os.path.join(os.path.dirname(here), os.readlink(here))).split(os.sep)[1:], *rest]


def _lay_out(mounts, root, paths, writable):
    """Make in `root` what leads to the paths, and bind them there."""
    done = ["/proc"]
    for path in sorted({p for path in paths for p in spelled(path)}, key=lambda p: (p.count(os.sep), p)):
        if any(path == d or path.startswith(d + os.sep) for d in done) and path not in writable:
            continue
        target = root / os.path.relpath(path, "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.islink(path):
            target.symlink_to(os.readlink(path))
            continue
        if os.path.isdir(path):
            target.mkdir(exist_ok=True)
        else:
            target.touch()
        mounts.bind(path, target, path in writable or path.startswith("/dev/"))
        done.append(path)


def enter(root, readable, writable, user):
    """Go into a tree in which nothing but `readable` and `writable` is there. For root, in a mount namespace and a process tree of one's own.

    Parameters
    ----------
    root : path-like
        An empty folder, in which the tree is put together.
    readable, writable : sequence of str
        Files and folders; they keep their paths.
    user : int
        Number of the user who will live there.

    Raises
    ------
    OSError
        If the system does not allow it.
    """
    mounts, root = _Mounts(), Path(root)
    mounts.mount("none", "/", None, _REC | _PRIVATE)
    mounts.mount("none", root, "tmpfs", _NOSUID, "mode=755,size=4m")
    for name in (SHARED[1:], "etc", "proc", "sys", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    mounts.mount("none", root / "proc", "proc", _NOSUID | _NODEV)
    mounts.mount("none", root / SHARED[1:], "tmpfs", _NOSUID | _NODEV, "mode=1777,size=64m")  # where threads and processes keep their locks
    writable = [os.path.realpath(path) for path in writable]
    _lay_out(mounts, root, [*readable, *writable], writable)
    for name, text in _STAND_INS.items():
        (root / "etc" / name).write_text(text.format(user=user))
    mounts.mount(None, root, None, _BIND | _REMOUNT | _RDONLY | _NOSUID)
    mounts.pivot(root)


def stand_in_files():
    """Paths of the files that are there in a private root without being anybody's: they may be read as well."""
    return [f"/etc/{name}" for name in _STAND_INS]
