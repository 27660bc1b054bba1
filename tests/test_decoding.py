"""What editors, scanners and raw files put into a TIFF; decoders that complain; large scans within little memory."""

import os
import threading
import tracemalloc
import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.data import astronaut

from common.decoding.levels import eight_bits, on_white
from common.decoding.quiet import decoder_heard
from common.photos import TURNS, PhotoError, photo_shape, read_photo

PHOTO = np.ascontiguousarray(astronaut()[:200, :300])


def far(path, truth=PHOTO):
    photo = read_photo(path)
    assert photo.shape == truth.shape == (*photo_shape(path), 3)
    return np.abs(photo.astype(int) - truth).mean()


@pytest.mark.parametrize("orientation", [1, 5, 8])
@pytest.mark.parametrize("kind, values", [("12 bits", PHOTO / 255 * 4095), ("16 bits", PHOTO * 257.0), ("shares", PHOTO / 255)])
def test_colours_one_after_the_other(tmp_path, kind, values, orientation):
    values = np.rint(values).astype(np.uint16) if kind != "shares" else values.astype(np.float32)
    for name, more in (("a", {}), ("packed", {"compression": "deflate"}), ("tiles", {"tile": (64, 64)})):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.moveaxis(values, 2, 0), photometric="rgb", planarconfig="separate",
                         extratags=[(274, 3, 1, orientation, True)], **more)
        turned = np.asarray(Image.fromarray(PHOTO).transpose(TURNS[orientation])) if orientation > 1 else PHOTO
        assert far(tmp_path / f"{name}.tif", turned) < 0.6, name


def test_inks_one_after_the_other(tmp_path):
    inks = np.concatenate([255 - PHOTO, np.zeros_like(PHOTO[..., :1])], axis=2).astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(inks, 2, 0), photometric="separated", planarconfig="separate")
    assert far(tmp_path / "a.tif") < 0.6


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("kind", ["unspecified", "unassalpha", "assocalpha"])
def test_a_fourth_channel_is_what_the_file_says_it_is(tmp_path, kind, planes):
    """A selection that an editor kept is not how opaque the photo is."""
    shade = np.full(PHOTO.shape[:2], 0.25)
    shade[:, 100:] = 1
    colours = PHOTO * shade[..., None] if kind == "assocalpha" else PHOTO
    deep = np.rint(np.dstack([colours / 255, shade]) * 65535).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", deep if planes == "contig" else np.moveaxis(deep, 2, 0), photometric="rgb", extrasamples=[kind], planarconfig=planes)
    truth = PHOTO if kind == "unspecified" else np.rint(PHOTO * shade[..., None] + 255 * (1 - shade[..., None]))
    assert far(tmp_path / "a.tif", truth) < 0.6


@pytest.mark.parametrize("deep", [False, True], ids=["8 bits", "16 bits"])
def test_a_small_copy_in_front_is_not_the_photo(tmp_path, deep, recwarn):
    photo = PHOTO.astype(np.uint16) * 257 if deep else PHOTO
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        for part in (photo[::8, ::8], photo[::4, ::4]):
            out.write(part, photometric="rgb", subfiletype=1, metadata=None)
        out.write(photo, photometric="rgb", metadata=None, extratags=[(274, 3, 1, 3, True)])
        out.write(photo[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
    assert far(tmp_path / "a.tif", PHOTO[::-1, ::-1]) < 0.6
    assert not [warning for warning in recwarn if warning.category is UserWarning]


def test_what_claims_to_be_huge_behind_a_small_copy_is_refused_before_it_fills_the_memory(tmp_path, capfd):
    """Whoever opens the file sees the small copy's size alone."""
    file = tmp_path / "scan.tif"
    with tifffile.TiffWriter(file) as writer:
        writer.write(np.zeros((8, 8, 3), np.uint8), subfiletype=1, photometric="rgb")
        writer.write(np.zeros((3, 48, 64), np.uint16), photometric="rgb", planarconfig="separate")
    with tifffile.TiffFile(file, mode="r+b") as kept:
        for name in ("ImageWidth", "ImageLength"):
            kept.pages[1].tags[name].overwrite(60_000)
    capfd.readouterr()
    tracemalloc.start()
    with pytest.raises(PhotoError, match="more pixels than any photo|has more than 256 megapixels"):
        read_photo(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6 and not capfd.readouterr().err


def test_where_there_is_a_small_copy_only_it_is_not_taken_for_the_photo(tmp_path):
    """As in a camera's raw file: what its sensor saw is no picture yet, and lies where Pillow does not look."""
    with tifffile.TiffWriter(tmp_path / "a.dng") as out:
        out.write(PHOTO[::8, ::8], photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        out.write(PHOTO[..., 0].astype(np.uint16) * 16, photometric="cfa", metadata=None, extratags=[(33421, 3, 2, (2, 2), True), (33422, 1, 4, b"\0\1\1\2", True)])
    for read in (read_photo, photo_shape):
        with pytest.raises(PhotoError, match="a.dng: .*small copy.*save it as a JPEG") as told:
            read(tmp_path / "a.dng")
        assert "\n" not in str(told.value)


def damaged_fax(path):
    """A scan of black and white, packed as faxes are, with a few wrong bytes."""
    Image.fromarray((PHOTO[..., 0] > 100).repeat(2, axis=0)).save(path, compression="group4")
    data = bytearray(path.read_bytes())
    for place in (200, 300, 500):
        data[place] ^= 0x5A
    path.write_bytes(data)


def test_a_decoder_that_complains_is_heard_once_and_with_the_name(tmp_path, capfd):
    damaged_fax(tmp_path / "fax.tif")
    with pytest.warns(UserWarning) as told:
        read_photo(tmp_path / "fax.tif")
    assert [str(each.message).startswith(f"{tmp_path / 'fax.tif'}: damaged in places (Fax") for each in told] == [True]
    assert "\n" not in str(told[0].message) and capfd.readouterr() == ("", "")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_several_threads_leave_standard_error_as_it_was(tmp_path, capfd):
    damaged_fax(tmp_path / "fax.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = [threading.Thread(target=lambda: [read_photo(tmp_path / "fax.tif") for _ in range(5)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    os.write(2, b"afterwards\n")
    assert capfd.readouterr() == ("", "afterwards\n")


def test_an_error_inside_is_no_reason_for_a_warning_and_closed_streams_for_none(tmp_path, capfd, recwarn, monkeypatch):
    with pytest.raises(KeyError), decoder_heard(tmp_path):
        os.write(2, b"noise")
        raise KeyError
    with monkeypatch.context() as closed:
        closed.setattr(os, "dup", lambda number: (_ for _ in ()).throw(OSError(9, "Bad file descriptor")))
        with decoder_heard(tmp_path):
            pass
    assert not recwarn.list and capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [np.uint16, np.uint32, np.float32])
def test_a_large_scan_needs_little_memory(kind):
    values = np.zeros((8_000, 300, 3), kind)
    values[7] = 1
    tracemalloc.start()
    try:
        eight_bits(values)
        on_white(np.zeros((8_000, 300, 3), np.uint8), values[..., :1])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * values.size, "as floats of 64 bits it would be eight times as many bytes, more than once"
