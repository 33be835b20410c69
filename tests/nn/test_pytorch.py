"""PyTorch's spellings: how each is written in the language, with the numbers that PyTorch has."""

import pytest

from cnnfilter.nn.language import parse_network
from cnnfilter.nn.pytorch import MODULES, translate
from tests.nn.strategies import kernel_shape


@pytest.mark.parametrize(
    ("call", "written"),
    [
        ("Conv2d(3, 16, 3)", "conv:3x3,16"),
        ("nn.Conv2d(3,16,(3,5),stride=2,padding=(1,2),bias=False)", "conv:3x5,16,s2,p1x2,nobias"),
        ("torch.nn.Conv2d(32, 32, kernel_size=3, padding='same', groups=32)", "conv:3x3,32,g32,same"),
        ("Conv2d(3, 8, 5, 1, 4, 2)", "conv:5x5,8,p4,d2"),
        ("Conv2d(3, 8, 3, padding_mode='reflect')", "conv:3x3,8,valid,border=reflect"),
        ("Conv2d(3, 8, 3, padding=1, padding_mode='replicate')", "conv:3x3,8,p1,border=edge"),
        ("Conv2d(3, 8, 3, padding=1, padding_mode='circular')", "conv:3x3,8,p1,border=wrap"),
        ("MaxPool2d(2)", "maxpool:2"),
        ("MaxPool2d(3, stride=2, padding=1, ceil_mode=True)", "maxpool:3,s2,p1,ceil"),
        ("AvgPool2d(2)", "avgpool:2"),
        ("AvgPool2d(3, 2, 1)", "avgpool:3,s2,p1,countpad"),
        ("AvgPool2d(3, 2, 1, count_include_pad=False)", "avgpool:3,s2,p1"),
        ("LPPool2d(2, 3)", "l2pool:3"),
        ("AdaptiveAvgPool2d(1)", "globalavgpool"),
        ("AdaptiveMaxPool2d((1, 1))", "globalmaxpool"),
        ("BatchNorm2d(16)", "batchnorm"),
        ("BatchNorm2d(16, eps=1e-3)", "batchnorm:eps=0.001"),
        ("LocalResponseNorm(5, alpha=1e-4, k=2)", "lrn:k=2"),
        ("BatchNorm2d(16, affine=False)", "batchnorm:noaffine"),
        ("ConvTranspose2d(64, 32, 3, 2, 1, 1)", "deconv:3x3,32,s2,p1,op1"),
        ("nn.ConvTranspose2d(8, 6, (2, 4), groups=2, bias=False, dilation=2)", "deconv:2x4,6,d2,g2,nobias"),
        ("Upsample(scale_factor=2)", "upsample:2"),
        ("Upsample(scale_factor=(2.0, 3), mode='bilinear', align_corners=False)", "upsample:2x3,bilinear"),
        ("UpsamplingNearest2d(scale_factor=4)", "upsample:4"),
        ("AdaptiveAvgPool2d(7)", "adaptiveavgpool:7"),
        ("AdaptiveMaxPool2d((2, 3))", "adaptivemaxpool:2x3"),
        ("GroupNorm(8, 64)", "groupnorm:8"),
        ("GroupNorm(8, 64, eps=1e-3, affine=False)", "groupnorm:8,eps=0.001,noaffine"),
        ("InstanceNorm2d(64)", "instancenorm"),
        ("InstanceNorm2d(64, affine=True)", "groupnorm:64"),
        ("LayerNorm([64, 7, 7])", "layernorm"),
        ("LayerNorm(10, elementwise_affine=False)", "layernorm:noaffine"),
        ("PReLU()", "prelu"),
        ("PReLU(64)", "prelu:each"),
        ("Hardswish()", "hardswish"),
        ("SELU(inplace=True)", "selu"),
        ("Softplus()", "softplus"),
        ("Linear(512, 10)", "linear:10"),
        ("Linear(512, 10, bias=False)", "linear:10,nobias"),
        ("Dropout(0.2)", "dropout:0.2"),
        ("Flatten()", "flatten"),
        ("Softmax(dim=1)", "softmax"),
        ("LeakyReLU(0.2, inplace=True)", "leakyrelu:0.2"),
        ("ELU()", "elu"),
        ("ReLU(inplace=True)", "relu"),
        ("F.GELU", "gelu"),
    ],
)
def test_a_module_is_written_with_its_numbers(call: str, written: str) -> None:
    assert translate(call) == written
    assert str(parse_network(written, kernel_shape)) == written


@pytest.mark.parametrize(
    ("call", "written"),
    [
        ("Conv2d(3,16)", "conv:3x3,16, for example"),
        ("Conv2d", "conv:3x3,16, for example"),
        ("Conv2d(channels, 64, 3)", "conv:3x3,16, for example"),
        ("Conv2d(3,16,3", "conv:3x3,16, for example"),
        ("Conv2d(3, 16, -3)", "conv:3x3,16, for example"),
        ("Linear(out)", "linear:10, for example"),
        ("LPPool2d(3, 2)", "l2pool:2, for example"),
        ("AdaptiveAvgPool2d((None, 7))", "adaptiveavgpool:7, for example"),
        ("Upsample(size=(14, 14))", "upsample:2,bilinear, for example"),
        ("Upsample(scale_factor=1.5)", "upsample:2,bilinear, for example"),
        ("Upsample(scale_factor=2, mode='bilinear', align_corners=True)", "upsample:2,bilinear, for example"),
        ("Softplus(beta=2)", "softplus, for example"),
        ("InstanceNorm2d(8, track_running_stats=True)", "instancenorm, for example"),
        ("nn.Sequential(nn.ReLU())", "as its layers one after the other, such as conv:3x3,16 relu"),
        ("Conv3d(3, 16, 3)", None),
        ("conv2d(3, 16, 3)", None),
        ("relu(x)", None),
        ("", None),
        (f"Conv2d({'(' * 9999}", "conv:3x3,16, for example"),
    ],
)
def test_a_call_that_says_too_little_is_answered_with_an_example(call: str, written: str | None) -> None:
    assert translate(call) == written


@pytest.mark.parametrize("name", MODULES)
def test_every_example_is_a_layer(name: str) -> None:
    assert parse_network(MODULES[name].example.partition(" for ")[0], kernel_shape)
