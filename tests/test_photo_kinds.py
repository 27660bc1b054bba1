"""Photos as phones, scanners and measuring cameras make them: HEIC, 10 to 16 bits, floats, and a JPEG that lacks its end."""

import io
import os
import struct
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from common.commands.inputs import find_inputs
from common.photos import PHOTO_SUFFIXES, TURNS, PhotoError, photo_shape, read_photo

PHOTO = np.ascontiguousarray(astronaut()[:300, :400])
GREY = PHOTO[:, :, 0]


def far(path, truth):
    photo = read_photo(path)
    assert photo.dtype == np.uint8 and photo.shape == (*truth.shape[:2], 3) == (*photo_shape(path), 3)
    return np.abs(photo.astype(int) - (truth if truth.ndim == 3 else truth[..., None])).mean()


@pytest.mark.parametrize("suffix", [".heic", ".heif", ".avif"])
def test_what_phones_take(tmp_path, suffix):
    import pillow_heif

    pillow_heif.register_heif_opener()
    try:
        Image.fromarray(PHOTO).save(tmp_path / f"a{suffix}", quality=90)
    except (KeyError, ValueError, OSError) as error:
        pytest.skip(f"no encoder here: {error}")
    assert far(tmp_path / f"a{suffix}", PHOTO) < 4
    (tmp_path / f"b{suffix}").write_bytes((tmp_path / f"a{suffix}").read_bytes()[:3000])
    with pytest.raises(PhotoError, match=f"b{suffix}: cannot be read as a photo") as told:
        read_photo(tmp_path / f"b{suffix}")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("suffix, kind", [(".HIF", "HEIF"), (".jpe", "JPEG"), (".mpo", "MPO"), (".apng", "PNG"), (".pnm", "PPM")])
def test_cameras_and_programs_have_endings_of_their_own(tmp_path, suffix, kind):
    import pillow_heif

    pillow_heif.register_heif_opener()
    Image.fromarray(PHOTO).save(tmp_path / f"a{suffix}", kind, quality=92)
    found = find_inputs([tmp_path], PHOTO_SUFFIXES)
    assert [name for _, name in found.files] == [f"a{suffix}"] and far(tmp_path / f"a{suffix}", PHOTO) < 4


@pytest.mark.parametrize("main", [0, 2])
@pytest.mark.parametrize("small", [True, False])
def test_of_a_burst_in_one_file_the_photo_that_is_shown_is_read_and_said(tmp_path, main, small):
    """A smaller copy beside it is no other photo."""
    import pillow_heif

    several = pillow_heif.HeifFile()
    for number in range(3):
        several.add_from_pillow(Image.fromarray(PHOTO if number == main else 255 - (PHOTO[::2, ::2] if small else PHOTO)))
    several.save(tmp_path / "a.heic", quality=90, primary_index=main)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert far(tmp_path / "a.heic", PHOTO) < 4
    assert [str(each.message).partition("a.heic: ")[2] for each in told] == ([] if small else ["holds several photos; only the first was looked at"])


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("suffix", [".tif", ".png"])
@pytest.mark.parametrize("truth", [PHOTO, GREY], ids=["colour", "grey"])
def test_more_than_eight_bits(tmp_path, bits, suffix, truth):
    deep = np.rint(truth / 255 * (2**bits - 1)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), deep[..., ::-1] if deep.ndim == 3 else deep)
    assert truth.max() == 255 and far(tmp_path / f"a{suffix}", truth) < 0.6


def tiff(values, orientation=1, big=False, white=1):
    """The bytes of an uncompressed TIFF of 16 bits, (H, W, 3) or (H, W): nobody else writes all kinds."""
    colours, raw = values.shape[2] if values.ndim == 3 else 1, values.astype("<u2").tobytes()
    begin, fits, number, place = (16, 8, "<Q", "Q") if big else (8, 4, "<H", "I")
    depth = np.full(colours, 16, "<u2").tobytes()
    directory = begin + len(raw) + len(depth)
    bits = depth if len(depth) <= fits else struct.pack("<I", begin + len(raw))
    notes = [(256, 4, 1, values.shape[1]), (257, 4, 1, values.shape[0]), (258, 3, colours, bits), (259, 3, 1, 1), (262, 3, 1, 2 if colours == 3 else white),
             (273, 4, 1, begin), (274, 3, 1, orientation), (277, 3, 1, colours), (278, 4, 1, values.shape[0]), (279, 4, 1, len(raw))]  # fmt: skip
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, directory) if big else struct.pack("<2sHI", b"II", 42, directory)
    lines = b"".join(struct.pack("<HH" + place, tag, kind, count) + (value if isinstance(value, bytes) else struct.pack("<I", value)).ljust(fits, b"\0")
                     for tag, kind, count, value in notes)
    return head + raw + depth + struct.pack(number, len(notes)) + lines + bytes(fits)


@pytest.mark.parametrize("big", [False, True], ids=["TIFF", "BigTIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_deep_tiff_is_turned_once(tmp_path, orientation, big):
    Image.fromarray(PHOTO).save(tmp_path / "shallow.tif", tiffinfo={274: orientation})
    (tmp_path / "deep.tif").write_bytes(tiff(PHOTO.astype(np.uint16) * 257, orientation, big))
    upright = read_photo(tmp_path / "shallow.tif")
    assert (upright == np.asarray(Image.fromarray(PHOTO).transpose(TURNS[orientation]) if orientation > 1 else PHOTO)).all()
    assert far(tmp_path / "deep.tif", upright) < 0.6


def test_a_tiff_is_not_deep_because_there_is_a_16_among_its_numbers(tmp_path):
    rng = np.random.default_rng(0)
    for k in range(60):  # in packed ones a number depends on their size
        photo = rng.integers(0, 256, (40, 60 + k, 3), np.uint8)
        Image.fromarray(photo).save(tmp_path / "a.tif", compression="tiff_lzw", tiffinfo={274: 6})
        assert far(tmp_path / "a.tif", np.rot90(photo, 3)) == 0


@pytest.mark.parametrize("white", [0, 1])
def test_in_some_scans_white_is_zero(tmp_path, white):
    deep = GREY.astype(np.uint16) * 257
    (tmp_path / "a.tif").write_bytes(tiff(deep if white else 65535 - deep, white=white))
    assert far(tmp_path / "a.tif", GREY) < 0.6


def test_a_picture_of_few_shades_of_many(tmp_path):
    (tmp_path / "a.ppm").write_bytes(b"P6\n400 300\n163\n" + np.rint(PHOTO * (163 / 255)).astype(np.uint8).tobytes())
    assert far(tmp_path / "a.ppm", PHOTO) < 1


def test_a_photo_of_two_hundred_megapixels(tmp_path):
    Image.new("L", (16_320, 12_240), 120).save(tmp_path / "phone.jpg", quality=30)
    assert photo_shape(tmp_path / "phone.jpg") == (12_240, 16_320)


def test_a_dark_scan_says_how_bright_white_is(tmp_path):
    Image.fromarray((GREY // 20).astype(np.uint16) * 16).save(tmp_path / "a.tif", tiffinfo={281: 4095})
    assert far(tmp_path / "a.tif", GREY // 20) < 0.6


@pytest.mark.parametrize("name, values, tolerance", [
    ("shares", GREY / 255, 0.1), ("doubles", (GREY / 255).astype(np.float64), 0.1), ("from minus one", GREY / 127.5 - 1, 0.1),
    ("a little too bright", GREY / 255 * 1.04, 7), ("grey levels", GREY.astype(float), 0.1), ("of 16 bits", GREY * 257.0, 0.1),
    ("colours", PHOTO / 255, 0.1), ("colours as grey levels", PHOTO.astype(float), 0.1),
])
def test_floats(tmp_path, name, values, tolerance):
    kind = np.float64 if name == "doubles" else np.float32
    values = values[..., ::-1] if values.ndim == 3 else values
    cv2.imwrite(str(tmp_path / "a.tif"), values.astype(kind), [cv2.IMWRITE_TIFF_COMPRESSION, 1])  # none: older OpenCVs pack colours with a loss
    assert far(tmp_path / "a.tif", PHOTO if values.ndim == 3 else GREY) < tolerance


def test_what_is_no_number_spoils_one_pixel(tmp_path):
    values = (GREY / 255).astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    Image.fromarray(values).save(tmp_path / "a.tif")
    photo = read_photo(tmp_path / "a.tif")[:, :, 0]
    assert photo[0, :3].tolist() == [0, 255, 0] and np.abs(photo[1:].astype(int) - GREY[1:]).max() <= 1


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_its_end_is_read_with_a_note(tmp_path, progressive):
    out = io.BytesIO()
    Image.fromarray(PHOTO).save(out, "jpeg", quality=92, progressive=progressive)
    whole = out.getvalue()
    for name, share in (("bytes", 1 - 20 / len(whole)), ("tenth", 0.9), ("third", 0.66)):
        (tmp_path / f"{name}.jpg").write_bytes(whole[: int(share * len(whole))])
        with pytest.warns(UserWarning, match=f"{name}.jpg: cut short"):
            photo = read_photo(tmp_path / f"{name}.jpg")
        assert photo.shape == PHOTO.shape == (*photo_shape(tmp_path / f"{name}.jpg"), 3)
        assert np.abs(photo[:120].astype(int) - PHOTO[:120]).mean() < 6
    (tmp_path / "little.jpg").write_bytes(whole[:800])
    with pytest.raises(PhotoError, match="little.jpg: cannot be read as a photo"):
        read_photo(tmp_path / "little.jpg")


@pytest.mark.parametrize("foot", [0, 128, 255])
@pytest.mark.parametrize("lost", [1, 2, 4, 40, 100])
def test_a_foot_of_one_colour_is_not_what_is_missing(tmp_path, foot, lost):
    framed, out = PHOTO.copy(), io.BytesIO()
    framed[150:] = foot
    Image.fromarray(framed).save(out, "jpeg", quality=92)
    (tmp_path / "a.jpg").write_bytes(out.getvalue()[:-lost])
    with pytest.warns(UserWarning, match="a.jpg: cut short") as told:
        photo = read_photo(tmp_path / "a.jpg")
    said = str(told[0].message)
    assert np.abs(photo[:140].astype(int) - PHOTO[:140]).mean() < 4
    if lost <= 4:
        assert "its last bytes are missing" in said
    elif foot != 128:  # what the decoder fills up with
        grey = (np.abs(photo.astype(int) - 128) <= 1).all(axis=(1, 2)).mean()
        assert f"the lowest {round(100 * grey)} % of it are missing" in said if grey > 16 / 300 else "its last bytes" in said
    else:
        assert int(said.partition("lowest ")[2].partition(" %")[0] or 0) < 40


@pytest.mark.parametrize("truth", [PHOTO, GREY], ids=["colour", "grey"])
def test_whole_numbers_of_32_bits(tmp_path, truth):
    tifffile = pytest.importorskip("tifffile")
    for name, photo in (("unsigned", (truth / 255 * (2**32 - 1)).astype(np.uint32)), ("signed", (truth / 255 * (2**31 - 1)).astype(np.int32))):
        tifffile.imwrite(tmp_path / f"{name}.tif", photo)
        if name == "unsigned" and truth is PHOTO and cv2.__version__ < "5":
            with pytest.raises(PhotoError):
                read_photo(tmp_path / f"{name}.tif")
            continue
        assert far(tmp_path / f"{name}.tif", truth) < 0.6, name


@pytest.mark.parametrize("name, photo", [
    ("all of eight bits", GREY.astype(int) - 128), ("half of eight bits", GREY // 2), ("all of sixteen", GREY.astype(int) * 257 - 32768), ("colours", PHOTO.astype(int) - 128),
    ("half of eight bits of colours", PHOTO // 2), ("half of sixteen of colours", PHOTO.astype(int) * 128)])  # fmt: skip
def test_whole_numbers_with_a_sign(tmp_path, name, photo):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", photo.astype(np.int16 if "sixteen" in name else np.int8), photometric="rgb" if photo.ndim == 3 else "minisblack")
    assert far(tmp_path / "a.tif", PHOTO if photo.ndim == 3 else GREY) < 1


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_more_pictures_than_the_first_are_said(tmp_path, name, recwarn):
    first, second = Image.fromarray(PHOTO), Image.fromarray(255 - PHOTO)
    first.save(tmp_path / f"one-{name}")
    first.save(tmp_path / name, save_all=True, append_images=[second])
    alone, of_two = read_photo(tmp_path / f"one-{name}"), read_photo(tmp_path / name)
    assert np.abs(alone.astype(int) - of_two).mean() < 3
    assert [str(warning.message).partition(": ")[2] for warning in recwarn if warning.category is UserWarning] == [
        ("has several pages" if name == "a.tif" else "is an animation of several pictures") + "; only the first was looked at"]


def test_two_pictures_of_a_phone_and_a_small_copy_in_a_scan_are_one_photo(tmp_path, recwarn):
    from PIL import TiffImagePlugin

    first, second = Image.fromarray(PHOTO), Image.fromarray(255 - PHOTO)
    first.save(tmp_path / "a.mpo", save_all=True, append_images=[second])
    (tmp_path / "a.mpo").rename(tmp_path / "phone.jpg")
    with TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "scan.tif"), True) as out:
        for image, kind in ((first, 0), (second.resize((20, 20)), 1)):
            image.save(out, "TIFF", tiffinfo={254: kind})
            out.newFrame()
    assert (read_photo(tmp_path / "scan.tif") == PHOTO).all() and read_photo(tmp_path / "phone.jpg").shape == PHOTO.shape
    assert not [warning for warning in recwarn if warning.category is UserWarning]


def test_a_photo_that_OpenCV_refuses_costs_one_line_and_it_is_ours(tmp_path, capfd):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", (PHOTO / 255).astype(np.float16))
    log = cv2 if hasattr(cv2, "getLogLevel") else cv2.utils.logging
    before = log.getLogLevel()
    with pytest.raises(PhotoError, match="a.tif: cannot be read as a photo"):
        read_photo(tmp_path / "a.tif")
    assert capfd.readouterr() == ("", "") and log.getLogLevel() == before > 0


def test_the_camera_was_held_upright_all_the_same(tmp_path):
    turned = Image.fromarray(np.rot90(PHOTO))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "a.jpg", quality=95, exif=exif)
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: int(0.95 * len(data))])
    with pytest.warns(UserWarning, match="cut short"):
        photo = read_photo(tmp_path / "a.jpg")
    # what was lowest in the file is now the left or the right side
    assert photo.shape == PHOTO.shape and np.abs(photo[:, 100:-100].astype(int) - PHOTO[:, 100:-100]).mean() < 5
    Image.fromarray(np.rot90(GREY).astype(np.uint16) * 16).save(tmp_path / "a.tif", tiffinfo={274: 6})
    assert far(tmp_path / "a.tif", GREY) < 0.8


def test_a_tiff_that_claims_a_billion_pixels(tmp_path):
    import struct

    entries = [(256, 4, 1, 200_000), (257, 4, 1, 200_000), (258, 3, 1, 64), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1),
               (278, 4, 1, 200_000), (279, 4, 1, 100), (339, 3, 1, 3)]
    notes = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + struct.pack("<I", 0)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 8) + notes)
    with pytest.raises(PhotoError, match="a.tif"):
        read_photo(tmp_path / "a.tif")


def test_a_damaged_photo_of_an_iphone_is_named(tmp_path):
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60))
    with pytest.raises(PhotoError, match="IMG_1.HEIC.*cannot be read as a photo.*JPEG"):
        read_photo(tmp_path / "IMG_1.HEIC")


def test_a_picture_that_would_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.fromarray(PHOTO).save(tmp_path / "bomb.png")
    with pytest.raises(PhotoError, match="bomb.png: has more than .* megapixels: make it smaller"):
        read_photo(tmp_path / "bomb.png")
    with pytest.raises(PhotoError, match="no such file"):
        read_photo(tmp_path / "gone.png")
    with pytest.raises(PhotoError, match="is a folder and no photo"):
        read_photo(tmp_path)
    (tmp_path / "link.png").symlink_to("gone.png")
    with pytest.raises(PhotoError, match="a link that leads to no file"):
        read_photo(tmp_path / "link.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes among files are a thing of Unix")
def test_what_is_no_file_is_called_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "stdin").symlink_to("pipe.jpg")
    (tmp_path / "null.jpg").symlink_to(os.devnull)
    (tmp_path / "round.jpg").symlink_to("round.jpg")
    for name, said in (("pipe.jpg", "pipe or a device"), ("stdin", "pipe or a device"), ("null.jpg", "pipe or a device"), ("round.jpg", "a link that leads to no file"), ("none.jpg", "no such file")):
        with pytest.raises(PhotoError, match=f"{name}: .*{said}"):
            read_photo(tmp_path / name)
