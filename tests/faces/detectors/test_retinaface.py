"""Compare the detector with the package's own steps. Both run the same random network, which finds tens of boxes."""

import io
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.random_retinaface import noise_images, random_model
from clef.errors import ClefError
from clef.faces.detectors import build_detector, retinaface
from clef.faces.detectors.retinaface import RetinaFaceDetector
from clef.faces.detectors.threaded import ThreadedDetector
from clef.params.schema import CropParams

predict_single = pytest.importorskip("retinaface.predict_single", reason="retinaface-pytorch is not installed")

SIDE = 160
SHAPES = [(115, 150), (160, 160), (250, 166)]


@pytest.fixture(scope="module")
def package():
    return random_model(predict_single, SIDE)


@pytest.fixture(scope="module")
def weights(package, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "retinaface.pth"
    torch.save(package.model.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def detector(weights):
    return RetinaFaceDetector(str(weights), 0.7, SIDE, "cpu")


@pytest.fixture(scope="module")
def images():
    return noise_images(SHAPES)


def test_threads_share_a_detector_and_find_the_same_faces(weights, detector, images):
    settings = CropParams(detector="retinaface", weights=str(weights), score=0.7, detect_size=SIDE)
    before = torch.get_num_threads()
    with ThreadPoolExecutor(3) as pool:
        threaded = ThreadedDetector(settings, pool, 3)
        with threaded.one_thread_each():
            assert torch.get_num_threads() == 1
            found = threaded.detect(images * 4)
    assert torch.get_num_threads() == before
    for faces, expected in zip(found, detector.detect(images) * 4, strict=True):
        assert [face.score for face in faces] == pytest.approx([face.score for face in expected], abs=1e-5)


def test_a_batch_gives_what_the_package_gives_for_single_images(package, detector, images):
    found = detector.detect(images)

    ours, theirs = [], []
    for image, faces in zip(images, found, strict=True):
        expected = [face for face in package.predict_jsons(image, confidence_threshold=0.7) if face["score"] >= 0]
        assert [face.score for face in faces] == pytest.approx([face["score"] for face in expected], abs=1e-5)
        scale = max(image.shape) / SIDE
        place = detector.placement(image)
        padding = np.array([place.left, place.top])
        for face, other in zip(faces, expected, strict=True):
            corners = np.array([face.box[:2], np.add(face.box[:2], face.box[2:])])
            in_network = np.trunc(corners / scale + padding)  # the package truncates boxes here ...
            truncated = np.trunc((in_network - padding) * scale)  # ... and here, landmarks only at the end
            ours.append([*truncated.ravel(), *np.trunc(face.landmarks).ravel()])
            theirs.append([*other["bbox"], *np.ravel(other["landmarks"])])
    ours, theirs = np.array(ours), np.array(theirs)
    assert len(theirs) >= 10
    assert np.ptp(theirs[:, 2] - theirs[:, 0]) > 20  # boxes of several sizes
    # Rounding may truncate a coordinate near a whole pixel of the network's input the other way.
    assert (ours == theirs).mean() > 0.99
    assert np.abs(ours - theirs).max() <= np.ceil(max(max(shape) for shape in SHAPES) / SIDE)


@pytest.mark.parametrize(("shape", "saved"), [((360, 640), 0.3), ((1392, 1040), 0.1)])
def test_padding_that_the_network_does_not_see_hardly_moves_a_face(weights, shape, saved, monkeypatch):
    (image,) = noise_images([shape])

    def boxes(margin):
        monkeypatch.setattr(retinaface, "MARGIN", margin)
        detector = RetinaFaceDetector(str(weights), 0.7, 640, "cpu")
        place = detector.placement(image)
        anchors = detector._anchors_in(detector._window(place))
        with torch.inference_mode():
            offsets, _, _ = detector.forward(detector._prepare(image)[None])
        centres = anchors[:, :2] * 640 - torch.tensor([place.left, place.top])
        in_image = ((centres >= 0) & (centres <= torch.tensor([place.width, place.height]))).all(1)
        found = detector._decode_boxes(offsets[0], anchors, [0.1, 0.2]) * 640
        return len(anchors), anchors[in_image] * 640, found[in_image]

    number, anchors, found = boxes(32)
    whole_number, whole_anchors, expected = boxes(640)
    assert number == pytest.approx((1 - saved) * whole_number)
    assert torch.equal(anchors, whole_anchors)
    moved = (found - expected).abs().amax(1)
    small = anchors[:, 2] <= 128
    assert 0 < moved[small].mean() < 0.1
    assert moved[small].max() < 2
    assert moved[~small].mean() < 1.5


def test_images_of_all_shapes_share_a_call(detector):
    images = noise_images([(180, 320), (320, 100), (180, 320), (160, 160)])
    alone = [detector.detect([image])[0] for image in images]
    for faces, expected in zip(detector.detect(images), alone, strict=True):
        assert [face.box for face in faces] == [pytest.approx(face.box, abs=1e-3) for face in expected]


def test_weights_load_from_the_releases_zip_and_from_safetensors(weights, detector, images, tmp_path):
    state = torch.load(weights, weights_only=True)
    legacy = io.BytesIO()
    torch.save(state, legacy, _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(tmp_path / "release.zip", "w") as archive:
        archive.writestr("retinaface.pth", legacy.getvalue())
    save_file(state, tmp_path / "retinaface.safetensors")

    assert RetinaFaceDetector(str(weights), 1.0, SIDE, "cpu").detect(images[:1]) == [[]]
    expected = detector.detect(images[:1])[0]
    for name in ("release.zip", "retinaface.safetensors"):
        other = RetinaFaceDetector(str(tmp_path / name), 0.7, SIDE, "cpu")
        assert [face.box for face in other.detect(images[:1])[0]] == [face.box for face in expected]
        assert other.fingerprint["weights"] != detector.fingerprint["weights"]


def test_missing_weights_gpu_and_package_are_named(weights, monkeypatch):
    for path, message in {
        "nowhere.zip": r"no file nowhere\.zip; run .*, or get retinaface_resnet50.*https://github",
        None: r"no file weights/retinaface_resnet50.*run `clef fetch-weights",
    }.items():
        with pytest.raises(ClefError, match=rf"crop\.weights: {message}"):
            build_detector(CropParams(detector="retinaface", weights=path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ClefError, match="cuda is not available"):
        RetinaFaceDetector(str(weights), 0.7, SIDE, "cuda")
    monkeypatch.setitem(sys.modules, "retinaface.network", None)
    with pytest.raises(ClefError, match=r"install clef\[retinaface\]"):
        build_detector(CropParams(detector="retinaface", weights="any"))
