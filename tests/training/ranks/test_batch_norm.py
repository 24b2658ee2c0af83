import copy

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from clef.training.ranks.batch_norm import SynchronisedBatchNorm, synchronise_batch_norm

IMAGES = torch.rand(6, 5, 4, 3, generator=torch.Generator().manual_seed(0)) * 3 - 1


@pytest.mark.parametrize("make", [nn.BatchNorm2d, BatchNormAct2d, lambda n: nn.BatchNorm2d(n, momentum=None)])
def test_alone_it_is_the_batch_norm_it_replaces(make):
    plain = make(5)
    nn.init.uniform_(plain.weight)
    nn.init.uniform_(plain.bias)
    ours = SynchronisedBatchNorm(copy.deepcopy(plain), total=lambda value: value)
    for _ in range(2):
        left, right = IMAGES.clone().requires_grad_(), IMAGES.clone().requires_grad_()
        expected, got = plain(left), ours(right)
        torch.testing.assert_close(got, expected)
        expected.square().sum().backward()
        got.square().sum().backward()
        torch.testing.assert_close(right.grad, left.grad)
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad)
    torch.testing.assert_close(dict(ours.named_buffers()), dict(plain.named_buffers()))
    torch.testing.assert_close(ours.eval()(IMAGES), plain.eval()(IMAGES))


def test_features_far_from_zero_keep_their_digits():
    plain = nn.BatchNorm2d(5)
    ours = SynchronisedBatchNorm(copy.deepcopy(plain), total=lambda value: value)
    for far in (10.0, 100.0):  # the running mean follows by a tenth at a time
        for _ in range(20):
            expected, got = plain(IMAGES + far), ours(IMAGES + far)
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4 * far)
    torch.testing.assert_close(ours.running_var, plain.running_var, rtol=1e-3, atol=0.0)


def test_names_and_tensors_stay():
    net = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.Sequential(BatchNormAct2d(5)))
    before = net.state_dict(keep_vars=True)
    synchronise_batch_norm(net)
    after = net.state_dict(keep_vars=True)
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    assert sum(isinstance(module, SynchronisedBatchNorm) for module in net.modules()) == 2
