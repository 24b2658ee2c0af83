"""Downloads from a real server on this machine."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clef.cli.weights import fetch_weights
from clef.errors import ClefError
from clef.runtime.files import file_hash
from clef.weights import download
from clef.weights.download import fetch
from clef.weights.releases import DETECTOR_RELEASES, Release, detector_weights

CONTENT = bytes(range(256)) * 2000


class Server(BaseHTTPRequestHandler):
    """Serves `/whole`, and `/cut`, which ends halfway through."""

    def do_GET(self) -> None:
        if self.path not in ("/whole", "/cut"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/whole" else CONTENT[: len(CONTENT) // 2])

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()


@pytest.fixture
def sha256(tmp_path) -> str:
    (tmp_path / "published").write_bytes(CONTENT)
    return file_hash(tmp_path / "published")


@pytest.mark.parametrize("detector", sorted(DETECTOR_RELEASES))
def test_the_command_fetches_what_a_detector_needs(server, sha256, tmp_path, monkeypatch, detector):
    monkeypatch.chdir(tmp_path)
    published = replace(DETECTOR_RELEASES[detector], address=f"{server}/whole", sha256=sha256)
    monkeypatch.setitem(DETECTOR_RELEASES, detector, published)
    fetch_weights(detector)
    assert detector_weights(detector, None).read_bytes() == CONTENT


def test_how_much_has_come_is_told(server, sha256, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MEGABYTE", 200_000)
    told = []
    release = Release("net.onnx", f"{server}/whole", sha256)
    fetch(release, tmp_path / "net.onnx", lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_good_file_is_fetched_once(server, sha256, tmp_path):
    release, target = Release("net.onnx", f"{server}/whole", sha256), tmp_path / "weights" / "net.onnx"
    assert fetch(release, target) is True
    assert target.read_bytes() == CONTENT
    assert fetch(Release("net.onnx", f"{server}/nowhere", sha256), target) is False


@pytest.mark.parametrize(
    ("page", "digits", "reason"),
    [
        ("whole", "0" * 64, r"what came is another file, its SHA-256 begins with \w{9}, expected 000000000"),
        ("nowhere", "0" * 64, "the server says 404 Not Found"),
        ("cut", "0" * 64, f"the download broke off after {len(CONTENT) // 2} of {len(CONTENT)} bytes"),
    ],
)
def test_what_is_not_the_release_is_not_left_there(server, tmp_path, page, digits, reason):
    target = tmp_path / "net.onnx"
    with pytest.raises(ClefError, match=reason) as caught:
        fetch(Release("net.onnx", f"{server}/{page}", digits), target)
    for part in ("net.onnx", f"{server}/{page}", digits, f"put it at {target}"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_the_line_says_what_to_get(tmp_path, nobodys_port):
    target, port = tmp_path / "net.onnx", nobodys_port
    with pytest.raises(ClefError, match=r"no way there from here \(.*refused.*\)") as caught:
        fetch(Release("net.onnx", f"http://127.0.0.1:{port}/whole", "0" * 64), target)
    assert f"get net.onnx (its SHA-256 is {'0' * 64}) from http://127.0.0.1:{port}/whole" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_unconfirmed_hash_is_told_and_not_refused(server, tmp_path, caplog):
    target = tmp_path / "net.zip"
    assert fetch(Release("net.zip", f"{server}/whole", "f168fae3c", confirmed=False), target) is True
    assert "may not be the release: its SHA-256 begins with" in caplog.text
    assert target.read_bytes() == CONTENT


def test_another_file_of_that_name_is_left_alone(server, sha256, tmp_path):
    target = tmp_path / "net.onnx"
    target.write_bytes(b"trained here")
    with pytest.raises(ClefError, match=r"there is another file already, .*; remove it and run this again"):
        fetch(Release("net.onnx", f"{server}/whole", sha256), target)
    assert target.read_bytes() == b"trained here"
