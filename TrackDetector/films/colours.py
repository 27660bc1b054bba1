"""Colours of films as photos have them, and back: a film's numbers mean colours by a matrix, a range and a curve, which it need not tell."""

import numpy as np

_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}  # MatrixCoefficients of H.273, and libswscale's numbers for them (PyAV 15 has no names for some)
BT709, BT601, SRGB = 1, 5, 13  # matrices, of which the first is HD's, and H.273's number for its primaries and curve as well; H.273's curve of sRGB
LIMITED, FULL = 1, 2  # FFmpeg's ranges
_HDR = {16, 18}  # TransferCharacteristics of PQ and HLG, as phones film by default: read as another they come out dull and grey


class ToRGB:
    """Decoded frames as arrays of RGB, with the colours that a player shows on a usual screen.

    Of films that do not tell their matrix, those with more than 576 rows or at least 1,280 columns are taken to have that of HD, as players do. HDR becomes
    sRGB from PyAV 18 on, with white where it is in a film without; before that it is read as if it were none.

    One is for one film: for HDR, FFmpeg works out a table at the first frame, which takes seconds.
    """

    def __init__(self):
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()

    def __call__(self, frame, width):
        """A frame, made as wide as said.

        Parameters
        ----------
        frame : av.VideoFrame
        width : int
            In pixels.

        Returns
        -------
        ndarray, shape (H, W, 3), uint8 RGB
        """
        import av

        how = {"width": width, "height": frame.height, "format": "rgb24", **_source(frame)}
        if getattr(frame, "color_trc", None) in _HDR:  # not in PyAV 15
            try:
                return self._reformatter.reformat(frame, **how, dst_color_trc=SRGB, dst_color_primaries=BT709).to_ndarray()
            except (TypeError, av.error.FFmpegError):  # older PyAV knows no such words; FFmpeg does not convert from all primaries that a file may name
                pass
        return self._reformatter.reformat(frame, **how).to_ndarray()


def _source(frame):
    """What a frame's numbers are, as PyAV takes it; nothing where there is no matrix."""
    if frame.format.is_rgb or len(frame.format.components) < 3:  # red, green and blue or grey already
        return {}
    # from PyAV 17 on, a film would be lost for a matrix that FFmpeg does not convert from (YCgCo, ICtCp), or that there is not
    matrix = _MATRICES.get(int(frame.colorspace), BT709 if frame.height > 576 or frame.width >= 1280 else BT601)
    full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
    # PyAV 15 heeds the matrix only where it becomes another, although red, green and blue have none
    return {"src_colorspace": matrix, "dst_colorspace": BT601, "src_color_range": FULL if full else LIMITED}


def to_film(image, width, height):
    """A picture as a frame for H.264, in the colours that `tell_colours` tells.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8 RGB
    width, height : int
        Of the frame, in pixels.

    Returns
    -------
    av.VideoFrame
        yuv420p.
    """
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return frame.reformat(width, height, "yuv420p", src_colorspace=BT601, src_color_range=FULL, dst_colorspace=BT709, dst_color_range=LIMITED)


def tell_colours(stream):
    """Note in a stream that is written what `to_film` makes: else players guess, and take what is small for something else than what is large."""
    codec = stream.codec_context
    codec.colorspace = codec.color_primaries = codec.color_trc = BT709
    codec.color_range = LIMITED
