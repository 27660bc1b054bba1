"""A local server that misbehaves on order: each request takes the next fault from its mirror's script."""

import gzip
import http.server
import socket
import struct
import threading
import time

# After these the same address may do better; a file must still be had if not too many come in a row.
PASSING = ("ignores range", "other range", "416", "drops", "resets", "html", "html as a file", "500", "503 retry", "429",
           "503 until", "no length, stops", "bad chunk", "empty", "rubbish", "multipart", "short piece", "new etag", "no range header",
           "silent close", "promises more", "other size", "204", "gzip", "huge header", "many headers", "two lengths",
           "negative length")
# After these the address is given up.
FINAL = ("404", "403", "401", "410", "redirect loop", "redirect away", "redirect to a file", "asks to wait for ever")
# Content that is wrong and looks right: only a hash tells.
LYING = ("flips a byte", "other file", "ends early", "endless", "absurd range")


class Mirrors:
    """Serve `files` (name -> bytes) under /0/, /1/ …; `scripts[k]` lists the faults of mirror k, "good" once used up.

    A script whose last fault is "always" repeats the one before it for ever. If not `marked`, no version is told.
    """

    def __init__(self, files, scripts, stall=1.0, marked=True):
        self.files, self.scripts, self.stall, self.marked = files, [list(script) for script in scripts], stall, marked
        self.asked, self.lock = [], threading.Lock()
        mirrors = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self):
                try:
                    super().handle()
                except OSError:  # the other side has hung up, or this one has, on order
                    pass

            def do_GET(self):
                mirrors.answer(self)

            def finish(self):
                try:
                    super().finish()
                except OSError:
                    pass

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def url(self, mirror, name):
        return f"http://127.0.0.1:{self.server.server_address[1]}/{mirror}/{name}"

    def _next(self, mirror):
        script = self.scripts[mirror] if mirror < len(self.scripts) else []
        if not script:
            return "good"
        if script[-1] == "always" and len(script) == 2:
            return script[0]
        return script.pop(0)

    def answer(self, request):
        mirror, _, name = request.path.lstrip("/").partition("/")
        with self.lock:
            fault = self._next(int(mirror))
            self.asked.append((int(mirror), name, fault, request.headers.get("Range"), request.headers.get("If-Range")))
        if name not in self.files:
            fault = "404"
        body = self.files.get(name, b"")
        etag = "" if not self.marked else '"one"' if fault != "new etag" else f'"{time.monotonic_ns()}"'
        start = None
        wanted = request.headers.get("Range")
        condition = request.headers.get("If-Range")
        if wanted and condition in (None, etag) and fault not in ("ignores range", "new etag"):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        send = getattr(self, "_" + fault.replace(" ", "_").replace(",", ""), None)
        if fault.isdigit() and fault != "416":
            self._plain(request, int(fault), b"no", {})
        elif send:
            send(request, body, start, etag)
        else:
            self._good(request, body, start, etag)

    def _plain(self, request, status, body, headers, length=None):
        request.send_response(status)
        for key, value in headers.items():
            request.send_header(key, value)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        request.wfile.write(body)
        if length not in (None, len(body)):
            request.close_connection = True

    def _good(self, request, body, start, etag, cut=None, length=None):
        """What a proper server does; `cut` bytes of the body are sent."""
        headers = {"ETag": etag, "Content-Type": "application/octet-stream"}
        if start is None:
            return self._plain(request, 200, body[:cut], headers, len(body) if cut is not None and length is None else length)
        if start >= len(body):
            return self._plain(request, 416, b"", {"Content-Range": f"bytes */{len(body)}"})
        headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        rest = body[start:]
        self._plain(request, 206, rest[:None if cut is None else max(0, cut - start)], headers, len(rest) if cut is not None else length)

    def _ignores_range(self, request, body, start, etag):
        self._good(request, body, None, etag)

    def _other_range(self, request, body, start, etag):
        other = (start or 0) // 2 if start else 7
        self._plain(request, 206, body[other:], {"ETag": etag, "Content-Range": f"bytes {other}-{len(body) - 1}/{len(body)}"})

    def _no_range_header(self, request, body, start, etag):
        self._plain(request, 206, body[(start or 0) // 2:], {"ETag": etag})

    def _multipart(self, request, body, start, etag):
        self._plain(request, 206, b"--x\r\n\r\n" + body + b"\r\n--x--", {"Content-Type": "multipart/byteranges; boundary=x"})

    def _short_piece(self, request, body, start, etag):
        start = start or 0
        end = min(len(body), start + max(1, len(body) // 3))
        self._plain(request, 206, body[start:end], {"ETag": etag, "Content-Range": f"bytes {start}-{end - 1}/{len(body)}"})

    def _416(self, request, body, start, etag):
        self._plain(request, 416, b"", {"Content-Range": f"bytes */{len(body) // 2}"})

    def _drops(self, request, body, start, etag):
        self._good(request, body, start, etag, cut=(start or 0) + (len(body) - (start or 0)) // 2)

    def _promises_more(self, request, body, start, etag):
        self._plain(request, 200, body, {"ETag": etag}, len(body) + 1000)

    def _other_size(self, request, body, start, etag):
        self._plain(request, 200, body[:-1] or b"x", {"ETag": '"two"', "X-Size": "wrong"})

    def _resets(self, request, body, start, etag):
        self._good(request, body, start, etag, cut=(start or 0) + 10)
        request.wfile.flush()
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.connection.close()

    def _silent_close(self, request, body, start, etag):
        request.close_connection = True

    def _stalls(self, request, body, start, etag):
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[:10])
        request.wfile.flush()
        time.sleep(self.stall)
        request.close_connection = True

    def _drips(self, request, body, start, etag):
        """A byte now and then, so that the line is never silent; to an end if nobody hangs up."""
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        for k in range(400):
            request.wfile.write(body[k:k + 1])
            request.wfile.flush()
            time.sleep(0.02)
        request.close_connection = True

    def _gzip(self, request, body, start, etag):
        """Packs the body although it was asked not to."""
        self._plain(request, 200, gzip.compress(body), {"Content-Encoding": "gzip", "ETag": etag})

    def _huge_header(self, request, body, start, etag):
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200_000 + b"\r\n\r\n" + body)
        request.close_connection = True

    def _many_headers(self, request, body, start, etag):
        request.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: x\r\n" % k for k in range(500)) + b"\r\n" + body)
        request.close_connection = True

    def _two_lengths(self, request, body, start, etag):
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
        request.close_connection = True

    def _negative_length(self, request, body, start, etag):
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\nConnection: close\r\n\r\n" + body)
        request.close_connection = True

    def _absurd_range(self, request, body, start, etag):
        self._plain(request, 206, body[start or 0:], {"ETag": etag, "Content-Range": f"bytes {start or 0}-{10**30}/{10**31}"})

    def _asks_to_wait_for_ever(self, request, body, start, etag):
        self._plain(request, 429, b"later", {"Retry-After": "999999999"})

    def _html(self, request, body, start, etag):
        self._plain(request, 200, b"<html>please log in</html>", {"Content-Type": "text/html; charset=utf-8"})

    def _html_as_a_file(self, request, body, start, etag):
        self._plain(request, 200, b"\n <!DOCTYPE html><title>Log in</title>" + b" " * max(0, len(body) - 38),
                    {"Content-Type": "application/zip", "ETag": etag})

    def _503_retry(self, request, body, start, etag):
        self._plain(request, 503, b"later", {"Retry-After": "3"})

    def _503_until(self, request, body, start, etag):
        """By a clock that is years behind."""
        request.wfile.write(b"HTTP/1.1 503 Later\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\nRetry-After: Mon, 01 Jan 2001 00:00:07 GMT\r\nContent-Length: 0\r\n\r\n")

    def _no_length_stops(self, request, body, start, etag):
        request.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body[:len(body) // 2])
        request.close_connection = True

    def _bad_chunk(self, request, body, start, etag):
        half = body[:len(body) // 2]
        request.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(half) + half + b"\r\nzz\r\n")
        request.close_connection = True

    def _empty(self, request, body, start, etag):
        self._plain(request, 200, b"", {})

    def _rubbish(self, request, body, start, etag):
        request.wfile.write(b"\x00\x01 nonsense\r\n\r\n")
        request.close_connection = True

    def _redirect_loop(self, request, body, start, etag):
        self._plain(request, 302, b"", {"Location": request.path})

    def _redirect_away(self, request, body, start, etag):
        self._plain(request, 302, b"", {"Location": "ftp://127.0.0.1/x"})

    def _redirect_to_away(self, request, body, start, etag):
        self._plain(request, 302, b"", {"Location": self.away})

    def _redirect_to_a_file(self, request, body, start, etag):
        self._plain(request, 302, b"", {"Location": "file:///etc/hostname"})

    def _flips_a_byte(self, request, body, start, etag):
        self._good(request, body[:-1] + bytes([body[-1] ^ 1]), start, etag)

    def _other_file(self, request, body, start, etag):
        self._good(request, bytes(reversed(body)), start, etag)

    def _ends_early(self, request, body, start, etag):
        self._good(request, body[:len(body) * 2 // 3], start, etag)

    def _endless(self, request, body, start, etag):
        request.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(400):
            request.wfile.write(body[:1] * 65536)
        request.close_connection = True
