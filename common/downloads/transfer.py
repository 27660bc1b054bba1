"""One file over a bad network: go on where it stopped, believe nothing, check everything, try the next address."""

import hashlib
import http.client
import ipaddress
import json
import random
import re
import shutil
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

CHUNK = 1 << 16
TIMEOUT = (10, 30)  # seconds to connect, and without a byte
SLOWEST = (60, 500)  # seconds, and bytes a second over so long: whoever sends less keeps the line open and never ends
TRIES = 5           # in a row without getting any further
LONGEST_WAIT = 60
WAITS = random.Random()  # its own: Keras draws first weights from Python's common one, and a bad network must not change them
BROKEN = (urllib3.exceptions.HTTPError, requests.RequestException, http.client.HTTPException, ConnectionError, TimeoutError,
          ssl.SSLError, ValueError)


class DownloadError(OSError):
    """A file could not be had. The message lists every address tried and why, and how to do it by hand.

    Attributes
    ----------
    tried : list of (str, str)
        Address and reason.
    """

    def __init__(self, message, tried=()):
        super().__init__(message)
        self.tried = list(tried)


class Refused(Exception):
    """This address is of no use; the next one may be."""

    def __init__(self, why, unreachable=False):
        super().__init__(why)
        self.unreachable = unreachable


class _Fault(Exception):
    """It did not work this time; it may the next."""

    def __init__(self, why, wait=None, unreachable=False):
        super().__init__(why)
        self.wait, self.unreachable = wait, unreachable


@dataclass
class Job:
    """One file to bring.

    Attributes
    ----------
    name : str
        For messages.
    part : pathlib.Path
        The temporary file beside the target.
    sha256, size : str, int or None
        What is known of it.
    most : int
        More bytes than this are refused where the size is not known.
    verified : bool
        True if a SHA-256 decides in the end, so that plain http and bytes of several mirrors are harmless.
    inspect : callable or None
        Called with the part's path when all is there and no hash is known; raises ValueError if it is not whole.
    """

    name: str
    part: Path
    sha256: str | None = None
    size: int | None = None
    most: int = 1 << 40
    verified: bool = False
    inspect: object = None
    progress: object = field(default=None, repr=False)  # called with the number of bytes now there, and the total or None


class Client(requests.Session):
    """A session that trusts what the system trusts, and never follows a link to an address it would not have taken."""

    def __init__(self, verified):
        super().__init__()
        self.verified = verified
        self.headers.update({"User-Agent": "face-detectors-coursework", "Accept": "*/*", "Accept-Encoding": "identity"})
        self.mount("https://", _SystemTrust())

    def get_redirect_target(self, response):
        target = super().get_redirect_target(response)
        if target is not None:
            allowed(urljoin(response.url, target), self.verified, from_here=_loopback(urlsplit(response.url).hostname))
        return target


class _SystemTrust(HTTPAdapter):
    """Certificates of the system's store, where a school's own authority may be, beside those that requests brings."""

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs, ssl_context=ssl.create_default_context())

    def proxy_manager_for(self, *args, **kwargs):
        return super().proxy_manager_for(*args, **kwargs, ssl_context=ssl.create_default_context())


def allowed(url, verified, from_here=True):
    """Raise `Refused` unless the address is https, or plain http with a hash to check against, or this machine.

    Raises
    ------
    Refused
    """
    address = urlsplit(url)
    if address.scheme == "https" and address.hostname:
        return
    if address.scheme == "http" and address.hostname and (verified or from_here and _loopback(address.hostname)):
        return
    raise Refused(f"{address.scheme or 'no'} address {url}: only https is used where no SHA-256 is known" if
                  address.scheme == "http" else f"not a web address that is used here: {url}")


def _loopback(host):
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bring(client, url, job, tries=TRIES, wait=1.0, sleep=time.sleep):
    """Get the whole file from one address into ``job.part``, and check it there.

    Parameters
    ----------
    client : Client
    url : str
    job : Job
    tries : int
        How often in a row it may fail without getting any further.
    wait : float
        Seconds before the second try; doubled each time, at most a minute, and never less than the server asks for.
    sleep : callable

    Raises
    ------
    Refused
        If this address will not do; says why and how often it was tried.
    OSError
        If the disk is full or the folder cannot be written.
    """
    allowed(url, job.verified)
    failures, mismatches, best = 0, 0, _size(job.part)
    while True:
        stitched = _size(job.part) > 0
        try:
            _attempt(client, url, job)
            wrong = _wrong(job)
            if wrong is None:
                return
            _forget(job)
            mismatches += not stitched  # parts of two versions may have been put together: that one does not count
            if mismatches > 1:
                raise Refused(f"{wrong}, twice")
            raise _Fault(wrong)
        except _Fault as fault:
            there = _size(job.part)
            # ten bytes a try would be progress too, for ever: a step is a twentieth of the file, or 64 kB
            step = min(CHUNK, (job.size or job.most) // 20) + 1
            failures = failures + 1 if there < best + step else 1
            best = max(best, there) if failures == 1 else best
            # a host that does not answer at all is not worth a minute: most likely there is no network
            enough = min(tries, 2) if fault.unreachable else tries
            if failures >= enough:
                times = f" ({failures} times)" if failures > 1 else ""
                raise Refused(f"{fault}{times}", fault.unreachable) from fault
            pause = min(wait * 2 ** (failures - 1), LONGEST_WAIT) * WAITS.uniform(0.75, 1.25)
            if fault.wait is not None and fault.wait > LONGEST_WAIT:
                raise Refused(f"{fault}, and asks to come back in {fault.wait:.0f} seconds") from fault
            sleep(max(pause, fault.wait or 0))


def _attempt(client, url, job):
    """One request, from where the part stops to the end of the file."""
    offset, note = _size(job.part), _read_note(job)
    if offset and not job.verified and not (note.get("url") == url and note.get("validator")):
        _forget(job)  # bytes of an unknown version: without a hash nobody would notice a wrong patchwork
        offset, note = 0, {}
    headers = {}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if note.get("url") == url and note.get("validator"):
            headers["If-Range"] = note["validator"]
    try:
        answer = client.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except requests.exceptions.SSLError as error:
        raise Refused(f"its certificate is not trusted ({_short(error)}); behind a school's or company's proxy, set "
                      "REQUESTS_CA_BUNDLE to the file of its certificate") from error
    except requests.exceptions.TooManyRedirects as error:
        raise Refused("sends from one address to the next without end") from error
    except requests.exceptions.ProxyError as error:
        raise _Fault(f"the proxy does not let it through ({_short(error)})", unreachable=True) from error
    except (requests.exceptions.ConnectTimeout, requests.exceptions.ConnectionError) as error:
        unreachable = not isinstance(error.args[0] if error.args else None, urllib3.exceptions.ProtocolError)
        if isinstance(error, requests.exceptions.ConnectTimeout):  # ten seconds of silence: twenty would be no better
            raise Refused(f"does not answer within {TIMEOUT[0]} seconds", unreachable=True) from error
        raise _Fault(f"cannot be reached ({_short(error)})" if unreachable else f"broke off ({_short(error)})",
                     unreachable=unreachable) from error
    except BROKEN as error:
        raise _Fault(f"gave no sensible answer ({_short(error)})") from error
    with answer:
        start, total = _judge(answer, offset, note, url, job)
        if start is not None:
            _receive(answer, start, total, job)


def _judge(answer, offset, note, url, job):
    """Where to write what comes, and how much the file will have then; (None, None) if all of it is there already."""
    status, headers = answer.status_code, answer.headers
    if status == 416 and offset:
        total = re.fullmatch(r"bytes \*/(\d+)", headers.get("Content-Range", ""))
        if offset in (job.size, int(total[1]) if total else None):
            return None, None
        _forget(job)
        raise _Fault(f"has no byte {offset:,} to go on from")
    if status in (408, 416, 425, 429) or status >= 500 or 200 <= status < 300 and status not in (200, 206):
        raise _Fault(f"answered {status} {answer.reason or ''}".strip(), wait=_retry_after(headers))
    if status not in (200, 206):
        raise Refused(f"answered {status} {answer.reason or ''}".strip())
    if "text/html" in headers.get("Content-Type", "").lower():
        raise _Fault("sent a web page instead of the file (a login page of the network?)")

    validator = _validator(headers)
    length = headers.get("Content-Length", "")
    length = int(length) if re.fullmatch(r"[0-9]{1,15}", length) else None
    encoded = headers.get("Content-Encoding", "identity").lower() not in ("", "identity")
    if status == 200:
        start, total = 0, None if encoded else length
    else:
        there = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers.get("Content-Range", ""))
        changed = not job.verified and validator != note.get("validator") and offset
        if not there or int(there[1]) != offset or encoded or changed:
            _forget(job)
            raise _Fault("sent the rest of a changed file" if changed else "sent another part of the file than the one asked for")
        start, total = offset, None if there[3] == "*" else int(there[3])
    if job.size is not None and total is not None and total != job.size:
        if start:
            _forget(job)
        raise _Fault(f"has a file of {total:,} bytes where {job.size:,} are expected")
    if job.size is None and total is not None and total > job.most:
        raise Refused(f"has a file of {_mb(total)}, far more than this one can have")
    if not start:
        _forget(job)
    _write_note(job, {"url": url, "validator": validator})
    return start, total if total is not None else job.size


def _receive(answer, start, total, job):
    """Write the body behind what is there; notice one that is too short or too long."""
    most = total if total is not None else job.most
    there, name_is_packed = start, job.name.endswith(("gz", ".tgz"))
    since, then = time.monotonic(), start
    with open(job.part, "r+b" if start else "wb") as out:
        out.seek(start)
        while True:
            try:
                # read1: what has come, at once; a full block would be lost with the line that breaks in its middle
                block = answer.raw.read1(CHUNK, decode_content=not name_is_packed)
            except BROKEN as error:
                raise _Fault(f"broke off after {_mb(there)} of {_mb(total)} ({_short(error)})") from error
            if not block:
                break
            if not there and block.lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower().startswith((b"<!doctype html", b"<html")):
                raise _Fault("sent a web page instead of the file (a login page of the network?)")
            there += len(block)
            if there > most:
                out.close()
                _forget(job)
                raise _Fault(f"sent more than the {_mb(most)} that the file can have")
            try:
                out.write(block)
            except OSError as error:
                raise OSError(error.errno, f"{job.name}: cannot be written to {job.part.parent} after {_mb(there)} ({error.strerror}): make room, or "
                                           "choose a folder on another disk; the next try goes on from there") from error
            if time.monotonic() - since >= SLOWEST[0]:
                if there - then < SLOWEST[0] * SLOWEST[1]:
                    raise _Fault(f"sends next to nothing ({there - then:,} bytes in {SLOWEST[0]} seconds)")
                since, then = time.monotonic(), there
            if job.progress:
                job.progress(there, total)
    if total is not None and there < total:
        raise _Fault(f"stopped after {_mb(there)} of {_mb(total)}")


def _wrong(job):
    """What is wrong with the complete part, None if nothing is."""
    size = _size(job.part)
    if job.size is not None and size != job.size:
        return f"sent {size:,} bytes where {job.size:,} are expected"
    if job.sha256 is not None:
        found = sha256_of(job.part)
        return None if found == job.sha256 else f"sent other content (SHA-256 {found[:12]}…, expected {job.sha256[:12]}…)"
    if not size:
        return "sent nothing"
    if job.inspect:
        try:
            job.inspect(job.part)
        except ValueError as error:
            return f"sent a file that is not whole ({error})"
    return None


def sha256_of(path):
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def has_room(folder, size, name):
    """Raise OSError if `size` bytes do not fit on the disk of `folder`.

    Raises
    ------
    OSError
    """
    free = shutil.disk_usage(folder).free
    if size and size > free:
        raise OSError(28, f"{name} needs {_mb(size)}, but the disk of {folder} has only {_mb(free)} free: make room, or choose "
                          "a folder on another disk")


def _size(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _note(job):
    return job.part.with_name(job.part.name + ".json")


def _read_note(job):
    """Of which version the part is: its address, and the server's mark for it."""
    try:
        note = json.loads(_note(job).read_text(encoding="utf-8"))
        return note if isinstance(note, dict) and isinstance(note.get("validator") or "", str) else {}
    except (OSError, ValueError):
        return {}


def _write_note(job, note):
    _note(job).write_text(json.dumps(note), encoding="utf-8")


def _forget(job):
    """Begin again from nothing."""
    job.part.unlink(missing_ok=True)
    forget_note(job)
    if job.progress:
        job.progress(0, job.size)


def forget_note(job):
    """Remove what was noted beside the part."""
    _note(job).unlink(missing_ok=True)


def _validator(headers):
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified") or None


def _retry_after(headers):
    seconds = headers.get("Retry-After", "")
    return float(seconds) if re.fullmatch(r"[0-9]{1,9}", seconds) else None


def _short(error):
    """The innermost reason of a wrapped network error, in one line."""
    while isinstance(getattr(error, "reason", None) or (error.args[0] if error.args else None), Exception):
        error = getattr(error, "reason", None) if isinstance(getattr(error, "reason", None), Exception) else error.args[0]
    text = re.sub(r"<[^>]*>[: ]*|HTTPS?Connection\([^)]*\):? ?", "", str(error)) or type(error).__name__
    return " ".join(text.split())[:120]


def _mb(size):
    return "an unknown number of bytes" if size is None else f"{size:,} bytes" if size < 1e5 else f"{size / 1e6:,.1f} MB"
