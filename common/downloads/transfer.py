"""One file over a bad network: go on where it stopped, believe nothing, check everything. (`pooch` and `requests` do not go on.)"""

import hashlib
import json
import math
import random
import re
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from common.downloads.archives import ArchiveError, check
from common.downloads.sources import shown
from common.files import in_mb

CHUNK = 1 << 16
TIMEOUT = (10, 30)  # seconds to connect, and without a byte
SLOWEST = (60, 500)  # seconds, and bytes a second over so long: whoever sends less keeps the line open and never ends
TRIES = 5  # in a row without getting any further
LONGEST_WAIT = 60
WAITS = random.Random()  # its own: Keras draws first weights from Python's common one, and a bad network must not change them
BROKEN = (urllib3.exceptions.HTTPError, OSError, ValueError)
WEB_PAGE = "sent a web page instead of the file (a login page of the network?)"


class Refused(Exception):
    """This address is of no use; the next one may be. `wait`: seconds that the server asks for."""

    def __init__(self, why, unreachable=False, wait=0):
        super().__init__(why)
        self.unreachable, self.wait = unreachable, wait


class _Fault(Refused):
    """A fault that may pass: the same address is tried again."""


@dataclass
class Job:
    """One file to bring: its name, where it grows, its SHA-256 (None: it is an archive, which tells) and size, the most bytes, a bar of tqdm's."""

    name: str
    part: Path
    sha256: str | None = None
    size: int | None = None
    most: int = 1 << 40
    bar: object = None
    version: tuple = ("", "")  # of what is there: its address, and the server's mark for it

    def there(self):
        return self.part.stat().st_size if self.part.exists() else 0

    @property
    def note(self):
        """The file that tells another run the version."""
        return self.part.with_name(f"{self.part.name}.from")

    def mark(self, url):
        """The server's mark for what is there; "" if it came from elsewhere, or nobody knows."""
        if not self.version[0] and not self.sha256:
            with suppress(OSError, ValueError, TypeError):
                address, mark = json.loads(self.note.read_text(encoding="utf-8"))
                self.version = (address, str(mark)) if str(mark).isprintable() else self.version
        return self.version[1] if self.version[0] == shown(url) else ""

    def begin(self, url, mark):
        """Begin with an empty part file, and note the version that comes now."""
        self.forget()
        self.version = shown(url), mark
        if mark and not self.sha256:
            with suppress(OSError):  # the next run begins anew, then
                self.note.write_text(json.dumps(self.version), encoding="utf-8")

    def goes_on(self):
        """Whether there is something with which another run can go on: with a hash it would notice a wrong patchwork, with a mark it asks for the same version."""
        return self.there() > 0 and (self.sha256 is not None or self.note.exists())

    def forget(self):
        """Begin again from nothing."""
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


class _SystemTrust(HTTPAdapter):
    """Certificates of the system's store, where a school's own authority may be, beside those that requests brings."""

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs, ssl_context=ssl.create_default_context())

    def proxy_manager_for(self, *args, **kwargs):
        return super().proxy_manager_for(*args, **kwargs, ssl_context=ssl.create_default_context())


class _Session(requests.Session):
    """Reads the system's certificates, a tenth of a second's work, when the first https address comes."""

    def get_adapter(self, url):
        if url.lower().startswith("https:") and not isinstance(self.adapters["https://"], _SystemTrust):
            self.mount("https://", _SystemTrust())
        return super().get_adapter(url)


def new_session():
    """A session of requests that trusts what the system trusts."""
    session = _Session()
    session.headers.update({"User-Agent": "face-detectors-coursework", "Accept": "*/*", "Accept-Encoding": "identity"})
    return session


def _allow(urls, verified):
    """Refuse an address, and where it leads to, unless all are https, or http where a hash decides in the end, or all are this machine."""
    try:
        parts = [urlsplit(url) for url in urls]
    except ValueError as error:
        raise Refused(f"is no address ({error}); expected https://…") from None
    plain = verified or all(_loopback(part.hostname) for part in parts)
    for url, part in zip(urls, parts):
        if part.scheme not in ("https", "http" if plain else "https"):
            raise Refused(f"{shown(url)}: only https is used, and http where a SHA-256 is known")


def _loopback(host):
    return host in ("localhost", "127.0.0.1", "::1")


def bring(session, url, job, tries=TRIES, wait=1.0, sleep=time.sleep):
    """Get the whole file from one address into ``job.part``, and check it there.

    It may fail `tries` times in a row without getting any further. It waits `wait` seconds before the second try, doubled each
    time, at most a minute, and never less than the server asks for. Raises `Refused`, which says why and how often it was tried,
    if this address will not do, and OSError if the disk is full or the folder cannot be written.
    """
    _allow([url], job.sha256)
    failures, mismatches, best = 0, 0, job.there()
    while True:
        stitched = job.there() > 0
        try:
            _attempt(session, url, job)
            if not (why := wrong(job.part, job)):
                return
            job.forget()
            mismatches += not stitched  # parts of two versions may have been put together: that one does not count
            raise Refused(f"{why}, twice") if mismatches > 1 else _Fault(why)
        except _Fault as fault:
            # ten bytes a try would be progress too, for ever: a step is a twentieth of the file, or 64 kB
            further = job.there() > best + min(CHUNK, (job.size or job.most) // 20)
            failures, best = (1, job.there()) if further else (failures + 1, best)
            # a host that does not answer at all is not worth a minute: most likely there is no network
            if failures >= (min(tries, 2) if fault.unreachable else tries):
                raise Refused(f"{fault} ({failures} times)" if failures > 1 else str(fault), fault.unreachable) from fault
            if fault.wait > LONGEST_WAIT:
                raise Refused(f"{fault}, and asks to come back in {fault.wait} seconds") from fault
            sleep(max(min(wait * 2 ** (failures - 1), LONGEST_WAIT) * WAITS.uniform(0.75, 1.25), fault.wait))


def _attempt(session, url, job):
    """One request, from where the part stops to the end of the file."""
    mark = job.mark(url)
    if not job.sha256 and not mark:
        job.forget()  # bytes of an unknown version: without a hash nobody would notice a wrong patchwork
    offset = job.there()
    headers = {} if not offset else {"Range": f"bytes={offset}-"} | ({"If-Range": mark} if mark else {})
    try:
        answer = session.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except requests.exceptions.SSLError as error:
        raise Refused(f"its certificate is not trusted ({_short(error)}); behind a school's or company's proxy, set "
                      "REQUESTS_CA_BUNDLE to the file of its certificate") from error  # fmt: skip
    except BROKEN as error:
        unreachable = isinstance(error, requests.exceptions.ConnectionError) and not isinstance((*error.args, None)[0], urllib3.exceptions.ProtocolError)
        raise _Fault(f"{'cannot be reached' if unreachable else 'gave no sensible answer'} ({_short(error)})", unreachable) from error
    with answer:
        _allow([url, *(hop.url for hop in answer.history[1:]), answer.url], job.sha256)
        start, total = _judge(answer, offset, mark, job)
        if start is not None:
            if not start:
                job.begin(url, _mark(answer.headers))
            _receive(answer, start, total, job)


def _judge(answer, offset, mark, job):
    """Where to write what comes, and how much the file will have then; (None, None) if all of it is there already."""
    status, headers = answer.status_code, answer.headers
    here = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", headers.get("Content-Range", ""))
    whole = int(here[2]) if here and here[2] != "*" else None
    if status == 416 and offset and offset in (job.size, whole):
        return None, None
    if status not in (200, 206):
        if status == 416:
            job.forget()
        passing = status in (408, 416, 425, 429) or status >= 500 or status < 300
        raise (_Fault if passing else Refused)(f"answered {status} {answer.reason or ''}".strip(), wait=_asked_to_wait(headers))
    if "text/html" in headers.get("Content-Type", "").lower():
        raise _Fault(WEB_PAGE)
    packed = headers.get("Content-Encoding", "identity").lower() not in ("", "identity")
    if status == 206:
        if not here or here[1] is None or int(here[1]) != offset or packed or (offset and not job.sha256 and _mark(headers) != mark):
            job.forget()
            raise _Fault("sent another part of the file than the one asked for, or of another version")
        start, total = offset, whole
    else:
        length = headers.get("Content-Length", "")
        start, total = 0, int(length) if re.fullmatch(r"[0-9]{1,15}", length) and not packed else None
    if total is not None and (total != job.size if job.size else total > job.most):
        if start:
            job.forget()
        raise _Fault(f"has a file of {total:,} bytes where {job.size or job.most:,} {'are expected' if job.size else 'are the most that is likely'}")
    return start, job.size or total


def _receive(answer, start, total, job):
    """Write the body behind what is there; notice one that is too short or too long."""
    there, since, then, most = start, time.monotonic(), start, total or job.most
    with open(job.part, "ab" if start else "wb") as out:
        while True:
            try:
                # read1: what has come, at once; a full block would be lost with the line that breaks in its middle
                block = answer.raw.read1(CHUNK, decode_content=not job.name.endswith("gz"))
            except BROKEN as error:
                raise _Fault(f"broke off after {in_mb(there)} of {in_mb(total)} ({_short(error)})") from error
            if not block:
                break
            if not there and block.lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower().startswith((b"<!doctype html", b"<html")):
                raise _Fault(WEB_PAGE)
            there += len(block)
            if there > most:
                out.truncate(0)
                raise _Fault(f"sent more than the {in_mb(most)} that the file can have")
            try:
                out.write(block)
            except OSError as error:
                raise OSError(error.errno, f"{job.name}: cannot be written to {job.part.parent} after {in_mb(there)} ({error.strerror}): make room, "
                                           f"or choose a folder on another disk{'; the next try goes on from there' if job.goes_on() else ''}") from error  # fmt: skip
            if time.monotonic() - since >= SLOWEST[0]:
                if there - then < SLOWEST[0] * SLOWEST[1]:
                    raise _Fault(f"sends next to nothing ({there - then:,} bytes in {SLOWEST[0]} seconds)")
                since, then = time.monotonic(), there
            if job.bar is not None:
                job.bar.total = total or job.bar.total
                job.bar.update(there - job.bar.n)  # back, too, where the download began again
    if total is not None and there < total:
        raise _Fault(f"stopped after {in_mb(there)} of {in_mb(total)}")


def wrong(path, job):
    """What is wrong with a file, None if nothing is: by its SHA-256, or where none is known by reading it from end to end."""
    if not path.is_file() or not path.stat().st_size:
        return "sent nothing"
    if job.sha256:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return None if found == job.sha256 else f"sent other content (SHA-256 {found[:12]}…, expected {job.sha256[:12]}…)"
    try:
        return check(path)
    except ArchiveError as error:
        return f"sent a file that is not whole ({error})"


def _mark(headers):
    return headers["ETag"] if headers.get("ETag", "").startswith('"') else headers.get("Last-Modified", "")


def _asked_to_wait(headers):
    """Seconds for which the server asks: as a number, or as a date by its own clock (RFC 9110, 10.2.3)."""
    asked = headers.get("Retry-After", "")
    if re.fullmatch(r"[0-9]{1,9}", asked):
        return int(asked)
    with suppress(ValueError, TypeError):
        now = parsedate_to_datetime(headers["Date"]) if "Date" in headers else datetime.now(UTC)
        return max(0, math.ceil((parsedate_to_datetime(asked) - now).total_seconds()))
    return 0


def _short(error):
    """The innermost reason of a wrapped network error, in one line."""
    while isinstance(inner := getattr(error, "reason", None) or (error.args[0] if error.args else None), Exception):
        error = inner
    text = re.sub(r"<[^>]*>[: ]*|HTTPS?Connection\([^)]*\):? ?", "", str(error)) or type(error).__name__
    return " ".join(text.split())[:120]
