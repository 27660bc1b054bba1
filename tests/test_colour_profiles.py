"""Photos whose file says what its numbers mean: phones mean the colours of Display P3."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage.data import astronaut
from test_film_colours import in_hdr

from common.photos import read_photo

PHOTO = np.ascontiguousarray(astronaut()[:300, :400])
# Red, green and blue as they lie in the colours that eyes see, for white of 5,000 kelvin: columns of sRGB (IEC 61966-2-1) and of Display P3 (SMPTE EG 432-1)
SRGB = np.array([[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]])
P3 = np.array([[0.5151187, 0.2919778, 0.1571035], [0.2411892, 0.6922441, 0.0665668], [-0.0010505, 0.0418791, 0.7840713]])


def linear(shares):
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def coded(light):
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.clip(light, 0, None) ** (1 / 2.4) - 0.055)


def profile(columns, name, kind=b"RGB "):
    """An ICC profile (version 2) of three primaries and sRGB's curve, by the letter of ICC.1:2001-04."""
    def fixed(*numbers):
        return b"XYZ \0\0\0\0" + struct.pack(f">{len(numbers)}i", *(round(n * 65536) for n in numbers))

    curve = b"curv\0\0\0\0" + struct.pack(">I1024H", 1024, *np.rint(65535 * linear(np.linspace(0, 1, 1024))).astype(int))
    text = name.encode() + b"\0"
    parts = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78), b"cprt": b"text\0\0\0\0nobody's\0", b"wtpt": fixed(0.9642, 1, 0.8249),
             **{key: fixed(*column) for key, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T)}, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    table, body, at = struct.pack(">I", len(parts)), b"", 128 + 4 + 12 * len(parts)
    for key, part in parts.items():
        part += bytes(-len(part) % 4)
        table, body, at = table + key + struct.pack(">II", at, len(part)), body + part, at + len(part)
    head = struct.pack(">I4sI4s4s4s12x4s", at, bytes(4), 0x02100000, b"mntr", kind, b"XYZ ", b"acsp") + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


DISPLAY_P3 = profile(P3, "Display P3")


def as_p3(photo):
    """The same colours in the numbers of Display P3, not rounded: shares of white."""
    return coded(linear(photo / 255) @ (np.linalg.inv(P3) @ SRGB).T)


IN_P3 = np.rint(255 * as_p3(PHOTO)).astype(np.uint8)


def far(path):
    return np.abs(read_photo(path).astype(int) - PHOTO).mean()


def test_the_profile_of_these_tests_is_one():
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(DISPLAY_P3))).strip() == "Display P3"
    assert np.abs(IN_P3.astype(int) - PHOTO).mean() > 2, "read as sRGB the photo has other colours"


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".heic"])
def test_a_photo_of_a_phone_has_the_colours_that_it_shows_there(tmp_path, suffix):
    import pillow_heif

    pillow_heif.register_heif_opener()
    path = tmp_path / f"a{suffix}"
    try:
        Image.fromarray(IN_P3).save(path, quality=95, icc_profile=DISPLAY_P3)
    except (KeyError, ValueError, OSError) as error:
        pytest.skip(f"no encoder here: {error}")
    Image.fromarray(PHOTO).save(tmp_path / f"b{suffix}", quality=95)
    assert far(path) < far(tmp_path / f"b{suffix}") + 1, "as near as the same photo in sRGB, which the coding changes too"


def test_one_that_the_camera_held_on_its_side(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(IN_P3))).save(tmp_path / "a.png", icc_profile=DISPLAY_P3, exif=exif)
    assert far(tmp_path / "a.png") < 1


def test_with_sixteen_bits_and_with_transparent_parts(tmp_path):
    cv2.imwrite(str(tmp_path / "bare.png"), np.rint(65535 * as_p3(PHOTO)).astype(np.uint16)[..., ::-1])
    bare = (tmp_path / "bare.png").read_bytes()
    with Image.new("RGB", (1, 1)) as small:
        small.save(tmp_path / "small.png", icc_profile=DISPLAY_P3)
    coloured = (tmp_path / "small.png").read_bytes()
    begin, length = coloured.index(b"iCCP") - 4, int.from_bytes(coloured[coloured.index(b"iCCP") - 4 : coloured.index(b"iCCP")])
    (tmp_path / "deep.png").write_bytes(bare[:33] + coloured[begin : begin + 12 + length] + bare[33:])
    assert far(tmp_path / "deep.png") < 1
    shades = np.full(PHOTO.shape[:2], 255, np.uint8)
    shades[:, :50] = 0
    Image.fromarray(np.dstack([IN_P3, shades])).save(tmp_path / "clear.png", icc_profile=DISPLAY_P3)
    photo = read_photo(tmp_path / "clear.png")
    assert (photo[:, :50] >= 254).all() and np.abs(photo[:, 50:].astype(int) - PHOTO[:, 50:]).mean() < 1


@pytest.mark.parametrize("other", [b"", b"no profile", DISPLAY_P3[:400], DISPLAY_P3[:128] + bytes(800), profile(P3, "of four inks", b"CMYK"), profile(P3, "of grey", b"GRAY")])
def test_a_profile_that_is_damaged_or_of_other_colours_is_as_none(tmp_path, other):
    Image.fromarray(PHOTO).save(tmp_path / "a.png", icc_profile=other or None)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), PHOTO)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK"])
def test_pictures_of_other_kinds_with_a_profile_are_read_as_without(tmp_path, mode):
    Image.fromarray(PHOTO).convert(mode).save(tmp_path / "a.tif")
    Image.fromarray(PHOTO).convert(mode).save(tmp_path / "b.tif", icc_profile=profile(SRGB, "numbers like sRGB's"))
    assert np.abs(read_photo(tmp_path / "a.tif").astype(int) - read_photo(tmp_path / "b.tif")).max() <= 2


def test_what_says_that_it_is_srgb_stays_to_the_letter(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), PHOTO)


def heif(path, photo, suffix=".heic", **points):
    import pillow_heif

    pillow_heif.register_heif_opener()
    try:
        Image.fromarray(photo).save(path.with_suffix(suffix), quality=95, **points)
    except (KeyError, ValueError, OSError) as error:
        pytest.skip(f"no encoder here: {error}")
    return path.with_suffix(suffix)


def with_points(path, *points):
    """A PNG with code points put into it (PNG, third edition: cICP), or whatever else is given for them."""
    chunk, data = b"cICP" + bytes(points), path.read_bytes()
    path.write_bytes(data[:33] + struct.pack(">I", len(points)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:])
    return path


def test_a_photo_of_a_phone_with_code_points_instead_of_a_profile(tmp_path):
    """As Android writes them: H.273 numbers the primaries of Display P3 as 12, and the curve of sRGB as 13."""
    assert far(heif(tmp_path / "p3", IN_P3, color_primaries=12, transfer_characteristics=13)) < far(heif(tmp_path / "srgb", PHOTO)) + 1
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.ascontiguousarray(np.rot90(IN_P3))
    assert far(heif(tmp_path / "turned", turned, color_primaries=12, transfer_characteristics=13, exif=exif.tobytes())) < far(tmp_path / "srgb.heic") + 1


def test_an_avif_with_code_points(tmp_path):
    path = heif(tmp_path / "a", IN_P3, ".avif")
    data, said = path.read_bytes(), b"colrnclx\0\1\0\x0d"
    if said not in data:
        pytest.skip("this encoder tells nothing")
    path.write_bytes(data.replace(said, b"colrnclx\0\x0c\0\x0d"))
    assert far(path) < far(heif(tmp_path / "b", PHOTO, ".avif")) + 1


@pytest.mark.parametrize("other", [None, profile(SRGB, "of other colours")], ids=["alone", "beside a profile"])
def test_a_png_with_code_points_which_go_before_a_profile(tmp_path, other):
    Image.fromarray(IN_P3).save(tmp_path / "a.png", icc_profile=other)
    assert far(with_points(tmp_path / "a.png", 12, 13, 0, 1)) < 1
    cv2.imwrite(str(tmp_path / "deep.png"), np.rint(65535 * as_p3(PHOTO)).astype(np.uint16)[..., ::-1])
    assert far(with_points(tmp_path / "deep.png", 12, 13, 0, 1)) < 1


@pytest.mark.parametrize("curve, most", [(16, 4), (18, 6)], ids=["PQ", "HLG"])
def test_a_photo_in_hdr_is_not_dull(tmp_path, curve, most):
    photo = np.rint(in_hdr(PHOTO.reshape(-1, 3), curve)).clip(0, 255).astype(np.uint8).reshape(PHOTO.shape)
    assert np.abs(photo.astype(int) - PHOTO).mean() > 20
    assert far(heif(tmp_path / "a", photo, color_primaries=9, transfer_characteristics=curve)) < most


@pytest.mark.parametrize("points", [(1, 13, 0, 1), (1, 1, 0, 1), (2, 2, 0, 1), (12, 77, 0, 1), (255, 13, 0, 1), (12,), ()], ids=str)
def test_code_points_of_srgb_or_of_nothing_change_nothing(tmp_path, points):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_photo(with_points(tmp_path / "a.png", *points)), PHOTO)
    own = profile(SRGB, "numbers like sRGB's")
    Image.fromarray(PHOTO).save(tmp_path / "b.png", icc_profile=own)
    assert far(with_points(tmp_path / "b.png", *points)) < 1


def test_of_code_points_that_nobody_knows_the_profile_counts(tmp_path):
    Image.fromarray(IN_P3).save(tmp_path / "a.png", icc_profile=DISPLAY_P3)
    assert far(with_points(tmp_path / "a.png", 12, 77, 0, 1)) < 1
