"""Downloads from a server that misbehaves: whole and right, or an error that says why; never a wrong file."""

import random
import shutil
import subprocess
import sys
import textwrap
import threading

import pytest
from committed import ROOT
from downloading import a_zip, clean, plain_surroundings, quiet, sha, table  # noqa: F401  (plain_surroundings is a fixture)
from misbehaving import FINAL, LYING, PASSING, Mirrors

from common.downloads import transfer
from common.downloads.fetching import DownloadError, fetch
from common.downloads.sources import Source


@pytest.mark.parametrize("known", [True, False], ids=["hash known", "hash not known"])
@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_is_survived(tmp_path, fault, known):
    data = a_zip()
    with Mirrors({"data.zip": data}, [["drops", fault]]) as mirrors:
        target = fetch("data.zip", tmp_path, sources=table(mirrors, data, known), **quiet())
        assert target.read_bytes() == data
        assert [asked[2] for asked in mirrors.asked[:2]] == ["drops", fault]
    clean(tmp_path, "data.zip")


# these come to an end even if they stay: each try gets further, or only the range is ignored
ENDING = ("ignores range", "new etag", "short piece", "gzip", "negative length")


@pytest.mark.parametrize("fault", [fault for fault in (*FINAL, *PASSING, *LYING) if fault not in ENDING])
def test_a_fault_that_stays_sends_it_to_the_next_mirror(tmp_path, fault):
    data = a_zip()
    with Mirrors({"data.zip": data}, [[fault, "always"], []]) as mirrors:
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data, number=2), **quiet()).read_bytes() == data
        assert mirrors.asked[-1][0] == 1
    clean(tmp_path, "data.zip")


@pytest.mark.parametrize("fault", ENDING)
def test_a_fault_that_stays_and_lets_it_get_further_needs_no_other_mirror(tmp_path, fault):
    data = a_zip()
    with Mirrors({"data.zip": data}, [[fault, "always"], []]) as mirrors:
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data), **quiet()).read_bytes() == data


def test_it_goes_on_where_it_stopped_and_only_with_the_same_version(tmp_path):
    data = a_zip()
    with Mirrors({"data.zip": data}, [["drops", "drops"]]) as mirrors:
        fetch("data.zip", tmp_path, sources=table(mirrors, data), **quiet())
        ranges = [(asked[3], asked[4]) for asked in mirrors.asked]
    half = len(data) // 2
    assert ranges == [(None, None), (f"bytes={half}-", '"one"'), (f"bytes={half + (len(data) - half) // 2}-", '"one"')]


@pytest.mark.parametrize("known", [True, False], ids=["with a hash", "without"])
def test_a_later_run_goes_on_where_an_earlier_one_gave_up(tmp_path, known):
    data = a_zip()
    with Mirrors({"data.zip": data}, [["drops", "404"]]) as mirrors:
        with pytest.raises(DownloadError, match="has come so far is kept"):
            fetch("data.zip", tmp_path, sources=table(mirrors, data, known=known), **quiet())
        assert not (tmp_path / "data.zip").exists()
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data, known=known), **quiet()).read_bytes() == data
        assert mirrors.asked[-1][3] == f"bytes={len(data) // 2}-" and (known or mirrors.asked[-1][4] == '"one"')
    clean(tmp_path, "data.zip")


@pytest.mark.parametrize("note", ["", "[1", "[]", "[3, 4]", '["http://elsewhere/data.zip", "\\"one\\""]', '["HERE", "two\\nHost: elsewhere"]'])
def test_what_a_part_came_from_is_believed_only_if_it_is_told(tmp_path, note):
    data = a_zip()
    with Mirrors({"data.zip": data}, [["drops", "404"]]) as mirrors:
        with pytest.raises(DownloadError):
            fetch("data.zip", tmp_path, sources=table(mirrors, data, known=False), **quiet())
        (tmp_path / "data.zip.part.from").write_text(note.replace("HERE", mirrors.url(0, "data.zip")))
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data, known=False), **quiet()).read_bytes() == data
        assert mirrors.asked[-1][3] is None
    clean(tmp_path, "data.zip")


def test_a_newer_version_is_not_patched_onto_the_half_of_an_older_one(tmp_path):
    old, data = a_zip(seed=1), a_zip()
    with Mirrors({"data.zip": old}, [["drops", "404"]]) as mirrors:
        with pytest.raises(DownloadError):
            fetch("data.zip", tmp_path, sources=table(mirrors, old, known=False), **quiet())
        note = tmp_path / "data.zip.part.from"
        note.write_text(note.read_text().replace("one", "the one before"))
        mirrors.files["data.zip"] = data
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data, known=False), **quiet()).read_bytes() == data
        assert mirrors.asked[-1][4] == '"the one before"'
    clean(tmp_path, "data.zip")


def test_no_next_try_is_promised_where_nothing_tells_the_version(tmp_path):
    data = a_zip()
    with Mirrors({"data.zip": data}, [["drops", "404"]], marked=False) as mirrors:
        with pytest.raises(DownloadError) as told:
            fetch("data.zip", tmp_path, sources=table(mirrors, data, known=False), **quiet())
    assert "broke off" in str(told.value) or "404" in str(told.value)
    assert "kept" not in str(told.value)


def test_a_whole_part_of_a_killed_run_is_not_loaded_again(tmp_path):
    data = a_zip()
    (tmp_path / "data.zip.part").write_bytes(data)
    with Mirrors({"data.zip": data}, [[]]) as mirrors:
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data), **quiet()).read_bytes() == data
        assert [asked[3] for asked in mirrors.asked] == [f"bytes={len(data)}-"]
    clean(tmp_path, "data.zip")


def test_a_part_of_an_unknown_version_is_not_patched_up_without_a_hash(tmp_path):
    data = a_zip()
    (tmp_path / "data.zip.part").write_bytes(a_zip(seed=1)[:5000])
    with Mirrors({"data.zip": data}, [[]]) as mirrors:
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data, known=False), **quiet()).read_bytes() == data
        assert mirrors.asked[0][3] is None


def test_a_stall_counts_as_a_broken_line(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT", (1, 0.15))
    data = a_zip()
    with Mirrors({"data.zip": data}, [["stalls"]], stall=0.4) as mirrors:
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data), **quiet()).read_bytes() == data


def test_a_server_that_drips_is_left_for_another(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "SLOWEST", (0.2, 1_000_000))
    data = a_zip()
    with Mirrors({"data.zip": data}, [["drips", "always"], []]) as mirrors:
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data, number=2), **quiet(tries=2)).read_bytes() == data
        assert mirrors.asked[-1][0] == 1
        with pytest.raises(DownloadError, match="sends next to nothing"):
            fetch("data.zip", tmp_path / "other", sources=table(mirrors, data), **quiet(tries=2))


def test_a_disk_that_fills_up_halfway_says_where_and_goes_on_later(tmp_path):
    program = ("import resource, sys\nfrom common.downloads.fetching import fetch\nfrom common.downloads.sources import Source\n"
               "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
               "fetch('data.zip', sys.argv[2], sources={'data.zip': Source('data.zip', (sys.argv[1],), sys.argv[3])}, progress=False)")
    pytest.importorskip("resource")
    data = a_zip(size=300_000)
    with Mirrors({"data.zip": data}, []) as mirrors:
        run = subprocess.run([sys.executable, "-c", program, mirrors.url(0, "data.zip"), str(tmp_path), sha(data)], capture_output=True,
                             text=True, cwd=ROOT)
        assert run.returncode and f"data.zip: cannot be written to {tmp_path}" in run.stderr and "make room" in run.stderr, run.stderr
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data), **quiet()).read_bytes() == data
        assert mirrors.asked[-1][3] == "bytes=100000-"
    clean(tmp_path, "data.zip")


def random_script(rng, known):
    """A list of faults, and whether the file must be had in spite of them."""
    faults = [rng.choice((*PASSING, *PASSING, *FINAL, *(LYING if known else ("endless", "ends early"))))
              for _ in range(rng.randrange(7))]
    fatal = any(fault in FINAL for fault in faults) or sum(fault not in PASSING for fault in faults) > 0
    if faults and rng.random() < 0.3:
        return [rng.choice(faults), "always"], False
    # without a hash or a length only the zip itself tells that it is cut off, and an address that sends two such files is given up
    unnoticed = 0 if known else sum(fault in ("other size", "no length, stops") for fault in faults)
    return faults, not fatal and len(faults) <= 3 and unnoticed < 2


@pytest.mark.parametrize("block", range(10))
def test_two_hundred_random_fault_sequences(tmp_path, block):
    succeeded = failed = 0
    for seed in range(block * 20, block * 20 + 20):
        rng = random.Random(seed)
        known, number = rng.random() < 0.6, rng.randrange(1, 4)
        data, folder = a_zip(seed, rng.randrange(500, 200_000)), tmp_path / str(seed)
        folder.mkdir()
        if rng.random() < 0.3:  # what an earlier, killed run may have left
            (folder / "data.zip.part").write_bytes(rng.choice([data[:99], data, data + b"more", rng.randbytes(700)]))
        scripts, possible = zip(*(random_script(rng, known) for _ in range(number)))
        waits = []
        with Mirrors({"data.zip": data}, scripts) as mirrors:
            sources = table(mirrors, data, known, number=number)
            try:
                target = fetch("data.zip", folder, sources=sources, progress=False, sleep=waits.append)
            except DownloadError as error:
                failed += 1
                assert not (folder / "data.zip").exists(), seed
                assert [url for url, _ in error.tried] == list(sources["data.zip"].urls), seed
                assert all(url in str(error) and why in str(error) and why for url, why in error.tried), seed
                assert f"save the file as {folder / 'data.zip'}" in str(error), seed
                assert not any(possible), (seed, scripts, str(error))
            else:
                succeeded += 1
                assert target.read_bytes() == data, (seed, scripts)
                clean(folder, "data.zip")
        assert all(0 < wait <= 75 for wait in waits), seed
    assert succeeded and failed  # a generator that only ever fails, or never does, would test nothing


def test_waits_grow_and_keep_to_what_the_server_asks(tmp_path):
    waits, data = [], a_zip()
    with Mirrors({"data.zip": data}, [["500", "500", "500", "503 retry"], ["503 until"]]) as mirrors:
        fetch("data.zip", tmp_path, sources=table(mirrors, data), progress=False, wait=0.1, sleep=waits.append)
        assert waits[0] < waits[1] < waits[2] and waits[3] >= 3
        until = {"data.zip": Source("data.zip", (mirrors.url(1, "data.zip"),), sha(data))}
        fetch("data.zip", tmp_path / "until", sources=until, progress=False, wait=0.1, sleep=waits.append)
        assert waits[4:] == [7]


def test_waiting_leaves_pythons_random_numbers_alone(tmp_path):
    """Keras draws first weights from them: a run with a bad network would train another network than the next one."""
    data, state, waits = a_zip(), random.getstate(), []
    with Mirrors({"data.zip": data}, [["500", "drops"]]) as mirrors:
        fetch("data.zip", tmp_path, sources=table(mirrors, data), progress=False, wait=0.1, sleep=waits.append)
    assert len(waits) == 2 and random.getstate() == state


def test_a_web_page_is_called_one(tmp_path):
    data = a_zip()
    with Mirrors({"data.zip": data}, [["html", "always"]]) as mirrors:
        with pytest.raises(DownloadError, match="sent a web page instead of the file"):
            fetch("data.zip", tmp_path, sources=table(mirrors, data), **quiet())


def test_no_network_is_found_out_soon_and_said(tmp_path):
    waits = []
    sources = {"data.zip": Source("data.zip", ("http://127.0.0.1:9/data.zip",), "0" * 64)}
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:9/data\.zip: cannot be reached") as caught:
        fetch("data.zip", tmp_path, sources=sources, progress=False, sleep=waits.append)
    assert len(waits) == 1
    assert "0" * 64 in str(caught.value) and str(tmp_path / "data.zip") in str(caught.value)


def test_what_was_put_there_by_hand_is_checked_and_used(tmp_path):
    data = a_zip()
    (tmp_path / "data.zip").write_bytes(data)
    with Mirrors({}, []) as mirrors:
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data), **quiet()).read_bytes() == data
        assert not mirrors.asked


def test_a_damaged_file_is_loaded_again_and_not_thrown_away(tmp_path, capsys):
    data = a_zip()
    (tmp_path / "data.zip").write_bytes(b"half")
    with Mirrors({"data.zip": data}, [[]]) as mirrors:
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data), sleep=None).read_bytes() == data
    assert (tmp_path / "data.zip.wrong").read_bytes() == b"half"
    assert "moved to data.zip.wrong" in capsys.readouterr().out


def test_plain_http_only_with_a_hash_or_on_this_machine(tmp_path):
    for url in ("http://example.invalid/data.zip", "ftp://127.0.0.1/data.zip", "file:///etc/hostname", "data.zip"):
        with pytest.raises(DownloadError, match="only https|not a web address"):
            fetch("data.zip", tmp_path, sources={"data.zip": Source("data.zip", (url,))}, **quiet())


def test_a_proxy_of_the_surroundings_is_used(tmp_path, monkeypatch):
    data = a_zip()
    with Mirrors({}, []) as proxy:
        asked = []
        proxy.answer = lambda request: (asked.append(request.path), proxy._good(request, data, None, '"one"'))
        monkeypatch.setenv("http_proxy", proxy.url(0, ""))
        sources = {"data.zip": Source("data.zip", ("http://mirror.invalid/data.zip",), sha(data), len(data))}
        fetch("data.zip", tmp_path, sources=sources, **quiet())
    assert asked == ["http://mirror.invalid/data.zip"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here to make a certificate with")
def test_a_certificate_of_the_system_is_trusted_and_a_strange_one_is_not(tmp_path, monkeypatch):
    import ssl
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], cwd=tmp_path, check=True, capture_output=True)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    data = a_zip()
    with Mirrors({"data.zip": data}, []) as mirrors:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
        mirrors.server.socket = context.wrap_socket(mirrors.server.socket, server_side=True)
        sources = {"data.zip": Source("data.zip", (mirrors.url(0, "data.zip").replace("http:", "https:"),), about=len(data))}
        with pytest.raises(DownloadError, match="certificate is not trusted.*REQUESTS_CA_BUNDLE"):
            fetch("data.zip", tmp_path / "strange", sources=sources, **quiet())
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            with monkeypatch.context() as surroundings:
                surroundings.setenv(name, str(tmp_path / "cert.pem"))
                assert fetch("data.zip", tmp_path / name, sources=sources, **quiet()).read_bytes() == data
        # from https to an address that would not have been taken itself: only where a hash decides in the end
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        with Mirrors({"data.zip": data}, []) as other:
            monkeypatch.setattr(transfer, "_loopback", lambda host: False)  # as between machines
            mirrors.away = other.url(0, "data.zip")
            mirrors.scripts = [["redirect to away", "always"]]
            with pytest.raises(DownloadError, match="only https is used"):
                fetch("data.zip", tmp_path / "led away", sources=sources, **quiet())
            known = {"data.zip": Source("data.zip", sources["data.zip"].urls, sha(data))}
            assert fetch("data.zip", tmp_path / "known", sources=known, **quiet()).read_bytes() == data


def test_a_schools_own_mirror_comes_first_and_offline_means_offline(tmp_path, monkeypatch):
    data = a_zip()
    with Mirrors({"data.zip": data}, []) as mirrors:
        monkeypatch.setenv("FACE_KIT_MIRROR", mirrors.url(5, "").rstrip("/") + "/")
        fetch("data.zip", tmp_path, sources=table(mirrors, data), **quiet())
        assert [asked[0] for asked in mirrors.asked] == [5]
        monkeypatch.setenv("FACE_KIT_OFFLINE", "1")
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data), **quiet()).read_bytes() == data
        with pytest.raises(DownloadError, match="FACE_KIT_OFFLINE is set"):
            fetch("data.zip", tmp_path / "other", sources=table(mirrors, data), **quiet())
        assert len(mirrors.asked) == 1


def test_two_processes_load_it_once(tmp_path):
    data = a_zip(size=2_000_000)
    program = textwrap.dedent("""
        import sys
        from common.downloads.fetching import fetch
        from common.downloads.sources import Source
        url, sha256, folder = sys.argv[1:]
        print(fetch("data.zip", folder, sources={"data.zip": Source("data.zip", (url,), sha256)}, progress=False))
    """)
    with Mirrors({"data.zip": data}, [["drops"] * 3]) as mirrors:
        runs = [subprocess.Popen([sys.executable, "-c", program, mirrors.url(0, "data.zip"), sha(data), str(tmp_path)],
                                 stdout=subprocess.PIPE, text=True, cwd=ROOT)
                for _ in range(3)]
        assert all(str(tmp_path / "data.zip") in run.communicate(timeout=60)[0] for run in runs)
        assert [run.returncode for run in runs] == [0, 0, 0]
        assert [asked[2] for asked in mirrors.asked] == ["drops"] * 3 + ["good"]
    assert (tmp_path / "data.zip").read_bytes() == data
    clean(tmp_path, "data.zip")


def test_a_killed_process_leaves_no_wrong_file_and_lets_the_lock_go(tmp_path):
    data = a_zip()
    program = ("import sys\nfrom common.downloads.fetching import fetch\nfrom common.downloads.sources import Source\n"
               "fetch('data.zip', sys.argv[2], sources={'data.zip': Source('data.zip', (sys.argv[1],), '0' * 64)}, progress=False)")
    with Mirrors({"data.zip": data}, [["stalls"]], stall=30) as mirrors:
        run = subprocess.Popen([sys.executable, "-c", program, mirrors.url(0, "data.zip"), str(tmp_path)],
                               cwd=ROOT)
        part = tmp_path / "data.zip.part"
        wait = threading.Event()
        for _ in range(600):
            if part.exists():
                break
            wait.wait(0.05)
        run.kill()
        run.wait()
        assert part.exists() and not (tmp_path / "data.zip").exists()
        assert fetch("data.zip", tmp_path, sources=table(mirrors, data), **quiet()).read_bytes() == data
    clean(tmp_path, "data.zip")


def test_a_full_disk_is_said_before_the_download(tmp_path, monkeypatch):
    data = a_zip()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 90, 10))
    with Mirrors({"data.zip": data}, []) as mirrors:
        with pytest.raises(OSError, match="make room") as caught:
            fetch("data.zip", tmp_path, sources=table(mirrors, data), **quiet())
        assert not isinstance(caught.value, DownloadError) and not mirrors.asked


def test_unknown_names_are_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="data.zip, original_data.zip, Face_Recognition_data"):
        fetch("dato.zip", tmp_path)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        (tmp_path / "data.zip").mkdir()
        fetch("data.zip", tmp_path)


def test_the_bar_begins_where_the_download_goes_on(tmp_path, capsys):
    data = a_zip(size=300_000)
    with Mirrors({"data.zip": data}, [["drops"]]) as mirrors:
        fetch("data.zip", tmp_path, sources=table(mirrors, data), sleep=lambda seconds: None)
    out, err = capsys.readouterr()
    assert "100%" in err and "B/s" in err and "data.zip" in err
    assert "SHA-256 as published" in out


def test_nothing_reaches_out_at_import():
    program = ("import socket\ndef no(*args, **kw): raise SystemExit('reached out')\n"
               "socket.socket.connect = no; socket.getaddrinfo = no\nimport common.download\nprint('quiet')")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                         cwd=ROOT)
    assert run.stdout == "quiet\n"
