"""What the tests of downloads share: small archives, tables of sources, surroundings without a proxy."""

import hashlib
import io
import os
import random
import zipfile

import pytest

from common.downloads.sources import Source


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FACE_KIT_MIRROR", "FACE_KIT_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def quiet(**more):
    return {"progress": False, "sleep": lambda seconds: None, **more}


def a_zip(seed=0, size=20_000):
    rng = random.Random(seed)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/names.csv", "name\n" * 50)
        archive.writestr("data/pixels.bin", rng.randbytes(size))
    return file.getvalue()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def table(mirrors, data, known=True, name="data.zip", number=1, **more):
    urls = tuple(mirrors.url(k, name) for k in range(number))
    size = {"size": len(data), "sha256": sha(data)} if known else {"about": len(data)}
    return {name: Source(name, urls, **{**size, **more})}


def clean(folder, *names):
    """Nothing but these files lies in the folder, and the empty files of locks."""
    assert sorted(name for name in os.listdir(folder) if not name.endswith(".lock")) == sorted(names)
