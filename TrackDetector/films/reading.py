"""Films frame by frame, with the true second of each frame: by PyAV, whose wheels carry FFmpeg."""

from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import numpy as np

from common.console import counted
from common.photos import PhotoError
from TrackDetector.films.colours import ToRGB

# What FFmpeg may take a file for. Left out are lists that lead to other files or to the network, and text, of which it would make a film.
_FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,ivf,obu,h264,hevc,m4v,mjpeg,dv,mxf,yuv4mpegpipe,rm,nut,gif"
_USUAL_RATE = 25.0
_STARTS_AGAIN = 1.0  # seconds: a clock that falls by more has started again, as in pieces of a recording that were joined
_LEAPS = 10.0  # seconds: in a stream, where FFmpeg takes a clock that falls for one that has gone round, one that leaps by more has started again, too
_STREAMS = ("mpegts", "mpeg")
_TOOTH = 10  # grey levels by which a row stands out from those beside it
_ENDS_EARLY = 0.5, 0.02  # seconds, share of its length: a film that ends so much too early was cut short


class Clock:
    """Seconds that go on where the clock of a film starts again.

    Parameters
    ----------
    container : av.container.InputContainer, optional
        The film: that of a stream starts again where it leaps ahead as well.

    Attributes
    ----------
    again : bool
        Whether it has started again.
    """

    def __init__(self, container=None):
        self._late, self._last, self._end, self.again = 0.0, None, 0.0, False
        self._leaps = _LEAPS if container is not None and container.format.name in _STREAMS else float("inf")

    def __call__(self, seconds, length):
        """The second since the beginning at which something is shown or heard, for how long it is, both in seconds."""
        if self._last is not None and (seconds < self._last - _STARTS_AGAIN or seconds > self._end + self._leaps):
            self._late += self._end - seconds
            self._end, self.again = seconds, True
        self._last, self._end = seconds, max(self._end, seconds + length)
        return seconds + self._late


class Film:
    """A film, whose frames can be gone through several times.

    Phones hold a film on its side and note it, some cameras squeeze it: frames come upright, with square pixels, and in the colours of sRGB (`colours.ToRGB`).

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    path : pathlib.Path
    height, width : int
        Of the frames, in pixels.
    length : float or None
        Seconds, as the file says.
    rate : float
        Frames a second, on average, as the file says; 25 where it does not.
    expected : int or None
        How many frames the file says, or its length and rate.
    read : int
        Frames that the last going through found.
    until : float
        The second of the last of them.
    notes : list of str
        What was amiss then: cut short, damaged in places.

    Raises
    ------
    PhotoError
        If there is no such file, or it is no film.
    """

    def __init__(self, path):
        import av

        self.path, self.read, self.until, self.notes, self._whole = Path(path), 0, 0.0, [], True
        self._to_rgb = ToRGB()
        with self._opened() as (container, stream):
            self._start = (container.start_time or 0) / 1e6
            self.length = container.duration / 1e6 if container.duration and container.duration > 0 else None
            if self.length and 0 < self._start < self.length and "matroska" in container.format.name:
                self.length -= self._start  # FFmpeg hands on what stands in the file, which counts from zero also where the first picture comes later
            rate = stream.average_rate or stream.guessed_rate or 0
            self.rate = float(rate) if 0 < rate < 1000 else _USUAL_RATE
            shown = stream.duration and float(((stream.start_time or 0) + stream.duration) * stream.time_base) - self._start
            self._shown = shown or self.length  # sound may go on for longer
            self.expected = stream.frames or (round(self.length * self.rate) if self.length else None)
            self.has_sound = bool(container.streams.audio)
            self._torn = container.format.name == "mpegts" and _ends_in_a_packet(self.path)
            self._tracks = sum(not each.disposition & av.stream.Disposition.attached_pic for each in container.streams.video)
        first = next(self._frames(1), None)
        if first is None:
            raise PhotoError(f"{self.path}: cannot be decoded as a video: not one frame. Try to convert it to MP4 (H.264)")
        self.height, self.width = first[2].shape[:2]

    @property
    def end(self):
        """The second at which its pictures end, after going through: as the file says, or one frame after the last if it cannot be so."""
        return self._shown if self._shown and self._shown > self.until and self._whole else self.until + 1 / self.rate

    def _opened(self):
        """The container and its stream of pictures, the best of several, in a `with` that closes them."""
        import av

        @contextmanager
        def opened():
            if not self.path.is_file():
                raise PhotoError(f"{self.path}: no such file")
            try:
                with container_of(self.path) as container:
                    if not container.streams.video:
                        raise PhotoError(f"{self.path}: cannot be decoded as a video: there is no picture in it")
                    yield container, container.streams.best("video") or container.streams.video[0]  # a cover may stand before the film
            except av.error.FFmpegError as error:
                raise PhotoError(f"{self.path}: cannot be decoded as a video ({error.strerror or error}). If it was cut short while it was recorded or "
                                 "copied, get it whole; else try to convert it to MP4 (H.264)") from None

        return opened()

    def frames(self, every=1, check=lambda: None):
        """Go through the film.

        Parameters
        ----------
        every : int
            Give every `every`-th frame.
        check : callable
            Called for every frame, also those that are not given.

        Yields
        ------
        number : int
            From 0, every frame counted.
        seconds : float
            From the beginning of the film, as its clock says: a film need not have the same time between its frames.
        image : ndarray, shape (H, W, 3), uint8 RGB

        Raises
        ------
        PhotoError
            If not one frame can be decoded.
        """
        self.read, self.until, self.notes = 0, 0.0, []
        yield from self._frames(every, check)
        if not self.read:
            raise PhotoError(f"{self.path}: cannot be decoded as a video: not one frame. Try to convert it to MP4 (H.264)")

    def _frames(self, every, check=lambda: None):
        import av

        damaged, marred, end, ended = 0, 0, 0.0, True
        with self._opened() as (container, stream):
            clock, stream.thread_type = Clock(container), "AUTO"
            for packet in _packets(container, stream):
                if packet is None:
                    ended = False
                elif packet.pts is not None and packet.time_base is not None:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base) - self._start)
                if packet is not None and packet.stream.index != stream.index:
                    continue
                try:
                    shown = stream.decode(packet)
                except av.error.FFmpegError:
                    damaged += 1
                    continue
                for frame in shown:
                    check()
                    marred += frame.is_corrupt  # a decoder fills up what it lacks with what it showed before
                    # frame.time of what a decoder held back is a division by nothing in older PyAV
                    at = None if frame.pts is None else float(frame.pts * (frame.time_base or stream.time_base))
                    seconds = self.read / self.rate if at is None else clock(at - self._start, 1 / self.rate)
                    number, self.read, self.until = self.read, self.read + 1, max(self.until, seconds)
                    if number % every == 0:
                        yield number, self.until, _upright(frame, stream.sample_aspect_ratio, self._to_rgb)
        missing = self.length - end if self.length and end else 0
        short = missing > max(_ENDS_EARLY[0], _ENDS_EARLY[1] * (self.length or 0)) or not ended or self._torn
        if short:
            whole = f" of {self.length:.1f}" if missing > 0 and not self._torn else ""  # of a transport stream FFmpeg guesses the length from what is there
            self.notes.append(f"the film is cut short: {end:.1f}{whole} seconds of it are there")
        if damaged + marred > short:  # the piece in which it was cut is not another damage
            lost = [f"{counted(damaged, 'piece')} of it could not be decoded"] * (damaged > 0) + [f"{counted(marred, 'picture')} could not be decoded whole"] * (marred > 0)
            self.notes.append(f"the film is damaged: {' and '.join(lost)}")
        self._whole = not self.notes and not clock.again
        if self._tracks > 1 and self.read:
            self.notes.append(f"the film has {self._tracks} tracks of pictures; only that of {self.width} x {self.height} pixels was looked at")


def container_of(path):
    """A film's file as PyAV opens it, which leads to no other file and to no network: av.container.InputContainer, to be closed."""
    import av

    program_stream = False
    with suppress(OSError), open(path, "rb") as file:  # FFmpeg says what is wrong
        program_stream = file.read(4) == b"\0\0\1\xba"
    # where they read one (.mpg, .vob), FFmpeg 7 and 8.0 crash if they are told what they may read; called by its name, this reader reads nothing else
    how = {"format": "mpeg"} if program_stream else {"options": {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}}
    try:
        return av.open(str(path.absolute()), metadata_errors="ignore", **how)
    except TypeError:  # PyAV 19, which is there for Python 3.12 and newer, knows no such word, and reads titles in any letters
        return av.open(str(path.absolute()), **how)


def _packets(container, stream):
    """The packets of a film; where the file ends in the middle of something, None is the last, with which the decoder gives what it holds back.

    A packet of the pictures that is there in part is one only if others come after it: several threads that decode lose whole pictures over the last one.
    """
    import av

    packets, torn = container.demux(), None
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            yield None
            return
        pictures = packet is not None and packet.stream.index == stream.index
        if torn is not None and (packet is None or pictures and not packet.size):  # the end; FFmpeg tells it by a packet without anything in it
            yield None
            return
        if packet is None:
            return
        if torn is not None and pictures:
            yield torn
            torn = None
        if pictures and packet.is_corrupt:
            torn = packet
        else:
            yield packet


def _ends_in_a_packet(path):
    """Whether a transport stream was cut: it is made of packets of 188 bytes (192 in a camera's .m2ts, 204 on the air), which begin with a G."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(4 * 204 + 5)
    length = next((each for each, first in ((188, 0), (192, 4), (204, 0)) if start[first :: each][:4] == b"GGGG"), None)
    return length is not None and size % length > 0


def _upright(frame, shape, to_rgb):
    """A decoded frame as an RGB array, turned and, if the shape of its pixels is known, stretched as it shall be shown."""
    width = round(frame.width * float(shape)) if shape and 0.2 < shape < 5 else frame.width
    image = to_rgb(frame, width)
    image = _without_comb(image) if frame.interlaced_frame else image
    note = frame.side_data.get("DISPLAYMATRIX")
    return image if note is None else np.ascontiguousarray(_turned(image, np.frombuffer(note, np.int32)))


def _without_comb(image):
    """A picture of two fields, which a camera or television took one after the other: what has moved between them has teeth, and faces with teeth are nobody's.

    A row of the second field that stands out from both rows beside it becomes their mean there; what stands still keeps all its rows.
    """
    row, above, below = (image[rows].astype(np.int16) for rows in (np.s_[1:-1:2], np.s_[:-2:2], np.s_[2::2]))
    teeth = ((np.minimum(row - above, row - below) > _TOOTH) | (np.maximum(row - above, row - below) < -_TOOTH)).any(axis=2)
    image = image.copy()
    image[1:-1:2][teeth] = ((above + below) // 2)[teeth]
    return image


def _turned(image, matrix):
    """Turned by quarters and mirrored as a display matrix says: nine numbers, of which a pixel's column and row become ``a * column + c * row`` and ``b * column + d * row``."""
    a, b, _, c, d = matrix[:5].astype(float)
    if abs(a) + abs(d) < abs(b) + abs(c):
        image, a, d = image.swapaxes(0, 1), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def read_video(path, most_frames=None, every=1):
    """Read the frames of a film.

    Parameters
    ----------
    path : path-like
    most_frames : int, optional
        Stop after so many frames.
    every : int
        Take every `every`-th frame.

    Returns
    -------
    frames : list of ndarray, shape (H, W, 3), uint8 RGB
    rate : float
        Frames a second of the file, on average.

    Raises
    ------
    PhotoError
        As `Film`.

    Warns
    -----
    UserWarning
        If the film is cut short or damaged.
    """
    import warnings

    film = Film(path)
    frames = [image for _, _, image in islice(film.frames(every), most_frames)]
    for note in film.notes:
        warnings.warn(f"{film.path}: {note}", stacklevel=2)
    return frames, film.rate
