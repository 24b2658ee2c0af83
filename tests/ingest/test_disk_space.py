import cv2
import numpy as np
import pytest

from clef.ingest.disk_space import least_crop_bytes
from clef.params.schema import CropParams


@pytest.mark.parametrize(("size", "quality"), [(72, 95), (160, 75), (256, 50)])
def test_the_least_size_of_crops_is_below_that_of_real_faces(testdata, size, quality):
    faces = cv2.imread(str(testdata / "multi_face.jpg"))
    detector = cv2.FaceDetectorYN.create(str(testdata / "yunet_n_640_640.onnx"), "", faces.shape[1::-1], 0.7)
    _, found = detector.detect(faces)
    sizes = []
    for x, y, width, height in found[:, :4].astype(int):
        face = faces[max(y, 0) : y + height, max(x, 0) : x + width]
        crop = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)
        sizes.append(len(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]))
    assert 0.35 < least_crop_bytes(CropParams(size=size, quality=quality)) / np.mean(sizes) < 1
