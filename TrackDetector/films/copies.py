"""Copies of films with boxes and names, or with faces blurred: H.264 with the sound of the film, which browsers play."""

import os
import warnings
from collections import defaultdict
from fractions import Fraction

import numpy as np

from common.files import as_open_as, rename, with_ending
from common.photos import PhotoError
from TrackDetector.films.colours import tell_colours, to_film
from TrackDetector.films.reading import Clock, container_of

_ENCODERS = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf")  # what builds of FFmpeg have
_SOUND = {"aac", "mp3", "opus"}  # what browsers play in an .mp4; other sound is encoded anew
_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)  # samples a second that AAC knows
_QUALITY = {"preset": "veryfast", "crf": "20", "bf": "0"}  # frames in the order in which they are shown: else the length of an uneven film comes out wrong
_CLOCK = Fraction(1, 90_000)


def between(frames, boxes, most):
    """Boxes of a face in all frames: in those that were not looked at, it lies between where it was before and after.

    Parameters
    ----------
    frames : sequence of int
        In order.
    boxes : sequence of array_like, shape (4,)
    most : int
        Frames from one look to the next over which this is done.

    Returns
    -------
    dict of int to ndarray
    """
    known = dict(zip(frames, map(np.asarray, boxes)))
    for (a, one), (b, two) in zip(list(known.items()), list(known.items())[1:]):
        if 1 < b - a <= most:
            known |= {t: one + (two - one) * (t - a) / (b - a) for t in range(a + 1, b)}
    return known


def by_frame(tracks, most, before=0, after=0, count=None):
    """What is where in each frame.

    Parameters
    ----------
    tracks : iterable of (object, frames, boxes)
    most : int
        As in `between`.
    before, after : int
        Frames before the first and after the last look in which the face is taken to be where it was then.
    count : int, optional
        Frames of the film; there is nothing in others.

    Returns
    -------
    dict of int to list of (object, ndarray)
    """
    seen = defaultdict(list)
    for what, frames, boxes in tracks:
        known = between(frames, boxes, most)
        end = frames[-1] + 1 + after
        known |= {t: boxes[0] for t in range(max(0, frames[0] - before), frames[0])}
        known |= {t: boxes[-1] for t in range(frames[-1] + 1, end if count is None else min(end, count))}
        for t, box in known.items():
            seen[t].append((what, box))
    return seen


def write_film(film, target, change, check=lambda: None):
    """Write a changed copy of a film: as long, with the same time for each frame, and with its sound.

    Parameters
    ----------
    film : reading.Film
    target : pathlib.Path
        An .mp4; it is there when it is whole.
    change : callable
        From the number of a frame and the frame to the frame that is written.
    check : callable
        Called for every frame.

    Raises
    ------
    PhotoError
        If it cannot be encoded.
    OSError
        If the disk is full.
    """
    import av

    target.parent.mkdir(parents=True, exist_ok=True)
    part = with_ending(target.with_name("." + target.name), f".{os.getpid()}.part")
    try:
        with av.open(str(part.absolute()), "w", format="mp4", options={"movflags": "+faststart"}) as out, _Sound(film, out) as sound:
            _encode(film, out, sound, change, check)
        as_open_as(target, part)
        rename(part, target)
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and not isinstance(error, PhotoError):
            raise OSError(error.errno, f"{target}: {error.strerror}") from None
        raise PhotoError(f"{target}: cannot be written as a film ({error.strerror or error})") from None
    finally:
        part.unlink(missing_ok=True)


def _video_stream(out, film):
    import av

    name = next((each for each in _ENCODERS if each in av.codecs_available), None)
    if name is None:
        raise PhotoError(f"no copy of {film.path}: this build of FFmpeg encodes no H.264; install the package `av` from PyPI")
    stream = out.add_stream(name, rate=max(1, round(film.rate)), options=_QUALITY if name == "libx264" else {})
    stream.height, stream.width = film.height - film.height % 2, film.width - film.width % 2  # H.264 as browsers play it has even sides
    if min(stream.height, stream.width) < 2:
        raise PhotoError(f"no copy of {film.path}: its frames have {film.height} x {film.width} pixels")
    stream.pix_fmt, stream.time_base, stream.codec_context.time_base = "yuv420p", _CLOCK, _CLOCK
    tell_colours(stream)
    return stream


def _encode(film, out, sound, change, check):
    stream, waiting, last, lengths = _video_stream(out, film), None, -1, {}

    def put(frame, length=0):
        if frame is not None:
            lengths[frame.pts] = length
        for packet in stream.encode(frame):
            packet.duration = lengths.pop(packet.pts, packet.duration)
            out.mux(packet)

    for number, seconds, image in film.frames(check=check):
        image = change(number, image)
        if image.shape[:2] == (film.height, film.width):  # others, of a film that changes its size on the way, are scaled
            image = image[: stream.height, : stream.width]
        frame = to_film(image, stream.width, stream.height)
        frame.pts, frame.time_base = max(last + 1, round(seconds / _CLOCK)), _CLOCK
        if waiting is not None:
            put(waiting, frame.pts - waiting.pts)
        waiting, last = frame, frame.pts
        sound.up_to(seconds)
    put(waiting, min(max(round(film.end / _CLOCK) - last, 1), 4 * round(1 / film.rate / _CLOCK)))
    put(None)
    sound.up_to(float("inf"))


class _Sound:
    """The first sound of a film, put into a copy piece by piece, as the pictures come; the copy goes on without it where it cannot be carried over."""

    def __init__(self, film, out):
        self.film, self.out = film, out

    def __enter__(self):
        self.stream = None
        if self.film.has_sound:
            self.container = container_of(self.film.path)
            self.source = self.container.streams.audio[0]
            self.start, self.clock, self.last = (self.container.start_time or 0) / 1e6, Clock(self.container), None
            self.as_it_is = self.source.codec_context.name in _SOUND
            if self.as_it_is:
                add = getattr(self.out, "add_stream_from_template", None)
                self.stream = add(self.source) if add else self.out.add_stream(template=self.source)
            else:
                wanted = self.source.codec_context.sample_rate or 48_000
                self.stream = self.out.add_stream("aac", rate=min((rate for rate in _RATES if rate >= wanted), default=max(_RATES)))
                self.kind = self.resampler = None
            self.pieces, self.next = self._pieces(), None
        return self

    def __exit__(self, *error):
        self._end()

    def _end(self):
        if self.stream is not None:
            self.container.close()
            self.stream = None

    def _pieces(self):
        """Packets and the seconds of the film at which they begin, in order; what is damaged is left out."""
        import av

        packets = self.container.demux(self.source)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                packet = None
            if packet is None:
                return
            if packet.dts is not None and not packet.is_corrupt:
                yield packet, self.clock(float(packet.dts * packet.time_base) - self.start, float((packet.duration or 0) * packet.time_base))
            elif packet.dts is None and not self.as_it_is:
                yield packet, None  # the last, which asks the decoder for what it holds back

    def up_to(self, seconds):
        """Write the sound up to a second of the film."""
        import av

        while self.stream is not None:
            self.next = self.next or next(self.pieces, None)
            if self.next is not None and self.next[1] is not None and self.next[1] > seconds:
                return
            try:
                self._carry_over(self.next)
            except av.error.InvalidDataError:
                pass  # a damaged piece
            except (av.error.FFmpegError, ValueError) as error:
                if isinstance(error, OSError) and not isinstance(error, ValueError):
                    raise  # the disk is full
                warnings.warn(f"the copy has no sound from second {0 if self.last is None else float(self.last):.1f} on: it could not be carried over "
                              f"({getattr(error, 'strerror', None) or error})", stacklevel=4)  # fmt: skip
                self._end()
            if self.next is None:
                self._end()
            self.next = None

    def _carry_over(self, piece):
        """One packet of sound into the copy, as it is or encoded anew; None: it is over."""
        if piece is None:
            self._write([] if self.as_it_is else self.stream.encode(None))
            return
        packet, at = piece
        if self.as_it_is:
            late = packet.dts - round(at / packet.time_base)
            packet.pts, packet.dts = (None if packet.pts is None else packet.pts - late), packet.dts - late
            packet.stream = self.stream
            self._write([packet])
            return
        for frame in packet.decode():
            if frame.pts is not None:
                late = round(self.start / frame.time_base) if at is None else round((packet.dts * packet.time_base - at) / frame.time_base)
                frame.pts -= late
            self._write(encoded for whole in self._resampled(frame) for encoded in self.stream.encode(whole))

    def _resampled(self, frame):
        """A frame in the form that the copy has; a recording may change from stereo to mono on the way."""
        import av

        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if kind != self.kind:
            if self.resampler is not None:
                yield from self.resampler.resample(None)
            codec = self.stream.codec_context
            self.kind, self.resampler = kind, av.AudioResampler("fltp", codec.layout.name, codec.sample_rate)
        yield from self.resampler.resample(frame)

    def _write(self, packets):
        """Into the copy, whose clock must rise: what lies on what was written before is left out."""
        for packet in packets:
            now = packet.dts * packet.time_base
            if self.last is None or now - self.last > _CLOCK:
                self.last = now
                self.out.mux(packet)
