"""A mirror of one's own, as people write it into their surroundings."""

import pytest
from downloading import a_zip, plain_surroundings, quiet, sha, table  # noqa: F401  (plain_surroundings is a fixture)
from misbehaving import Mirrors

from common.downloads.fetching import DownloadError, fetch, fetch_fddb
from common.downloads.sources import Source


def test_a_mirror_with_a_password_or_a_key_is_asked_and_neither_is_shown(tmp_path, monkeypatch):
    data = a_zip()
    with Mirrors({"data.zip?key=k3y": data, "fddb/a.jpg?key=k3y": b"abc"}, [["drops", "403"]]) as mirrors:
        monkeypatch.setenv("FACE_KIT_MIRROR", f" {mirrors.url(0, '')}?key=k3y\n".replace("://", "://anna:pa55@w0rd@"))
        sources = {"data.zip": Source("data.zip", (), about=len(data))}
        with pytest.raises(DownloadError) as told:
            fetch("data.zip", tmp_path, sources=sources, **quiet())
        note = (tmp_path / "data.zip.part.from").read_text()
        for text in (str(told.value), repr(told.value.tried), note):
            assert "127.0.0.1" in text and not any(secret in text for secret in ("anna", "pa55", "w0rd", "k3y"))
        assert fetch("data.zip", tmp_path, sources=sources, **quiet()).read_bytes() == data
        assert [(asked[1], asked[3] is None) for asked in mirrors.asked] == [("data.zip?key=k3y", True), ("data.zip?key=k3y", False), ("data.zip?key=k3y", False)]
        fetch_fddb(tmp_path / "fddb", files=[("originalPics/a.jpg", 3, sha(b"abc"))], mirrors=(), **quiet())


@pytest.mark.parametrize("mirror, says", [("http://[::1", "is no address"), ("mirror.example.edu/faces", "only https"), ("/srv/faces", "only https")])
def test_a_mirror_that_is_no_address_is_said_and_the_next_one_asked(tmp_path, monkeypatch, mirror, says):
    data = a_zip()
    with Mirrors({"data.zip": data}, [["404", "always"]]) as mirrors:
        monkeypatch.setenv("FACE_KIT_MIRROR", mirror)
        with pytest.raises(DownloadError) as told:
            fetch("data.zip", tmp_path, sources=table(mirrors, data), **quiet())
    assert says in told.value.tried[0][1] and "404" in told.value.tried[1][1]
