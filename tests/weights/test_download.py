"""Downloads from a server on this machine."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clef.cli.weights import fetch_weights
from clef.errors import ClefError
from clef.weights import download
from clef.weights.download import fetch
from clef.weights.releases import DETECTOR_RELEASES, Release, detector_weights

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


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
        """Stay silent."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()


@pytest.mark.parametrize("detector", sorted(DETECTOR_RELEASES))
def test_the_command_downloads_the_weights_of_a_detector(server, tmp_path, monkeypatch, detector):
    monkeypatch.chdir(tmp_path)
    published = replace(DETECTOR_RELEASES[detector], address=f"{server}/whole", sha256=SHA256)
    monkeypatch.setitem(DETECTOR_RELEASES, detector, published)
    fetch_weights(detector)
    assert detector_weights(detector, None).read_bytes() == CONTENT


def test_a_download_shows_its_progress_and_happens_once(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MEGABYTE", 200_000)
    shown = []
    target = tmp_path / "weights" / "net.onnx"
    assert fetch(Release("net.onnx", f"{server}/whole", SHA256), target, lambda *counts: shown.append(counts))
    assert shown == [(1, 3), (2, 3), (3, 3)]
    assert target.read_bytes() == CONTENT
    assert not fetch(Release("net.onnx", f"{server}/nowhere", SHA256), target)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("whole", r"the server sent a different file, its SHA-256 is \w{9}\.\.\., expected 000000000"),
        ("nowhere", "the server answered 404 Not Found"),
        ("cut", f"the download broke off after {len(CONTENT) // 2} of {len(CONTENT)} bytes"),
        (None, r"no connection \(.*refused.*\)"),
    ],
)
def test_a_failed_download_leaves_no_file_and_says_how_to_get_it(server, closed_port, tmp_path, page, reason):
    target, address = tmp_path / "net.onnx", f"{server}/{page}" if page else f"http://127.0.0.1:{closed_port}"
    with pytest.raises(ClefError, match=reason) as caught:
        fetch(Release("net.onnx", address, "0" * 64), target)
    assert f"get net.onnx (SHA-256 {'0' * 64}) from {address} and put it at {target}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_download_with_an_unconfirmed_hash_is_a_warning(server, tmp_path, caplog):
    target = tmp_path / "net.zip"
    assert fetch(Release("net.zip", f"{server}/whole", "f168fae3c", confirmed=False), target) is True
    assert "may not be the release: its SHA-256 is" in caplog.text
    assert target.read_bytes() == CONTENT


def test_a_different_file_of_that_name_is_kept(server, tmp_path):
    target = tmp_path / "net.onnx"
    target.write_bytes(b"trained here")
    with pytest.raises(ClefError, match=r"a different file exists already, .*; remove it and run this again"):
        fetch(Release("net.onnx", f"{server}/whole", SHA256), target)
    assert target.read_bytes() == b"trained here"
