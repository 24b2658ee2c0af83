from tests.cli.conftest import ENVIRONMENT, clef


def test_error_without_a_network_names_file_address_hash_and_path(tmp_path, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "https_proxy", "http://127.0.0.1:9")
    ran = clef("fetch-weights", "yunet", "--to", "models/net.onnx", folder=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    for part in ("face_detection_yunet_2023mar.onnx", "https://github.com/opencv/", "8f2383e4dd3cf", "models/net.onnx"):
        assert part in ran.stderr
    assert list((tmp_path / "models").iterdir()) == []
