import pytest
import torch

from clef.cuda import require_cuda
from clef.device import prepare_device
from clef.errors import ClefError
from clef.params import Params

EXPECTED = "device: cuda asked for, but torch sees no GPU; run where there is one, or set `device: cpu`"


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_cuda_without_a_gpu_is_one_line_before_and_in_a_training():
    with pytest.raises(ClefError) as before:
        require_cuda()
    params = Params.model_validate({"dataset": {"adapter": "demo"}, "render": {}, "device": "cuda"})
    with pytest.raises(ClefError) as within:
        prepare_device(params)
    assert str(before.value) == str(within.value) == EXPECTED


@pytest.mark.skipif(not torch.cuda.is_available(), reason="has no GPU")
def test_a_gpu_is_seen():
    require_cuda()


def test_a_torch_that_cannot_be_imported_is_told_with_its_reason(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.99: no such file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ClefError, match=r"torch cannot be imported \(ImportError: libcudart\.so\.99: no such file\)"):
        require_cuda()
