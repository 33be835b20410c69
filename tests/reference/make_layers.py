"""Compare random layers with PyTorch's, and write `layers.json`: some of them, with the values that PyTorch computes.

No test runs this; it needs torch, and is run by hand, in the folder that holds `tests`::

    python -m tests.reference.make_layers

Of `deconv` and of the adaptive pools 200 are drawn, of the others fewer; sizes, values, parameters and multiplications
of all of them are compared, and of each kind the first ones are stored. Weights and images are those of `seeded`.
"""

import json
import random
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch  # type: ignore[import-not-found, import-untyped, unused-ignore]
from torch import nn  # type: ignore[import-not-found, import-untyped, unused-ignore]

import cnnfilter
from tests.reference.seeded import Floats, seeded_image, seeded_state

LAYERS = Path(__file__).parent / "layers.json"

DIGITS = 7
STORED = 8
"""Of each kind of layer."""


class Case(NamedTuple):
    """A layer in our language, the (height, width, channels) that go in, and the same layer in PyTorch."""

    text: str
    input: tuple[int, int, int]
    module: nn.Module


def draw_pair(draw: random.Random, least: int, most: int) -> tuple[int, int]:
    """Return two numbers, often the same."""
    first = draw.randint(least, most)
    return first, first if draw.random() < 0.5 else draw.randint(least, most)


def side(pair: tuple[int, int]) -> str:
    """Return a pair as the language writes it."""
    return f"{pair[0]}x{pair[1]}"


def deconv(draw: random.Random) -> Case:
    """Return a transposed convolution that leaves something."""
    groups, height, width = draw.choice([1, 1, 2, 3]), draw.randint(1, 5), draw.randint(1, 5)
    inputs, outputs, bias = groups * draw.randint(1, 3), groups * draw.randint(1, 2), draw.random() < 0.7
    size, stride = draw_pair(draw, 1, 5), draw_pair(draw, 1, 4)
    padding, dilation = draw_pair(draw, 0, 3), draw_pair(draw, 1, 3)
    extra = [draw.randint(0, max(steps) - 1) for steps in zip(stride, dilation, strict=True)]
    module = nn.ConvTranspose2d(
        inputs, outputs, size, stride, padding, tuple(extra), groups, bias=bias, dilation=dilation
    )
    options = f"s{side(stride)},p{side(padding)},d{side(dilation)},op{extra[0]}x{extra[1]},g{groups}"
    text = f"deconv:{side(size)},{outputs},{options}{'' if bias else ',nobias'}"
    case = Case(text, (height, width, inputs), module)
    lengths = zip((height, width), stride, padding, dilation, size, extra, strict=True)
    left = [(n - 1) * s - 2 * p + d * (k - 1) + op + 1 for n, s, p, d, k, op in lengths]
    return case if min(left) > 0 else deconv(draw)


def adaptive(draw: random.Random) -> Case:
    """Return an adaptive pool, of more values than there are, too."""
    mode, size = draw.choice(["Avg", "Max"]), draw_pair(draw, 1, 7)
    shape = draw.randint(1, 9), draw.randint(1, 9), draw.randint(1, 2)
    module = getattr(nn, f"Adaptive{mode}Pool2d")(size)
    return Case(f"adaptive{mode.lower()}pool:{side(size)}", shape, module)


def upsample(draw: random.Random) -> Case:
    """Return a layer that repeats pixels, or goes between them."""
    factor, shape = draw_pair(draw, 1, 4), (draw.randint(1, 5), draw.randint(1, 5), draw.randint(1, 2))
    if draw.random() < 0.3:
        return Case(f"upsample:{side(factor)}", shape, nn.Upsample(scale_factor=factor))
    module = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)
    return Case(f"upsample:{side(factor)},bilinear", shape, module)


def norm(draw: random.Random) -> Case:
    """Return a normalization, or an activation with slopes."""
    groups, eps, affine = draw.choice([1, 2, 3]), draw.choice([1e-5, 1e-3]), draw.random() < 0.7
    height, width, channels = draw.randint(2, 4), draw.randint(2, 4), groups * draw.randint(1, 2)
    plain = "" if affine else ",noaffine"
    cases = {
        f"groupnorm:{groups},eps={eps}{plain}": nn.GroupNorm(groups, channels, eps, affine),
        f"instancenorm:eps={eps}": nn.InstanceNorm2d(channels, eps),
        f"layernorm:eps={eps}{plain}": nn.LayerNorm([channels, height, width], eps, affine),
        f"batchnorm:noaffine,eps={eps}": nn.BatchNorm2d(channels, eps, affine=False),
        "prelu": nn.PReLU(),
        "prelu:each": nn.PReLU(channels),
    }
    text = draw.choice(list(cases))
    return Case(text, (height, width, channels), cases[text])


def compute(case: Case) -> Floats:
    """Return what PyTorch makes of the seeded image, (H, W, C)."""
    state = [(name, tuple(value.shape)) for name, value in case.module.state_dict().items()]
    case.module.load_state_dict({name: torch.from_numpy(value) for name, value in seeded_state(state).items()})
    image = torch.from_numpy(seeded_image(case.input)).permute(2, 0, 1)[None]
    with torch.no_grad():
        return np.asarray(case.module.eval()(image)[0].permute(1, 2, 0).contiguous().numpy())


def compare(case: Case, expected: Floats) -> float:
    """Return the largest error of a value, as a share of the largest one; stop where sizes or counts differ."""
    state = [(name, tuple(value.shape)) for name, value in case.module.state_dict().items()]
    network = cnnfilter.network(case.text)
    totals = network.summary(case.input).totals
    weights = sum(value.numel() for value in case.module.parameters())
    macs = 0
    if isinstance(case.module, nn.ConvTranspose2d):
        macs = prod(case.input[:2]) * case.module.weight.numel()
    result = np.atleast_3d(network.run(seeded_image(case.input), weights=seeded_state(state) or None))
    if (totals.parameters, totals.macs, result.shape) != (weights, macs, expected.shape):
        raise SystemExit(f"{case.text} on {case.input}: {totals}, {result.shape}, not {weights}, {expected.shape}")
    return float(np.abs(result - expected).max() / max(np.abs(expected).max(), 1e-30))


KINDS: dict[Callable[[random.Random], Case], int] = {deconv: 200, adaptive: 200, upsample: 80, norm: 120}


def main() -> None:
    """Compare all, and write the file, a layer a line."""
    draw, lines = random.Random(20), []
    for kind, count in KINDS.items():
        cases = [kind(draw) for _ in range(count)]
        values = [compute(case) for case in cases]
        worst = max(map(compare, cases, values))
        print(f"{kind.__name__}: {count} layers, largest error {worst:.1e}")
        if worst > 1e-5:
            raise SystemExit("that is too large")
        for case, expected in list(zip(cases, values, strict=True))[:STORED]:
            content = {
                "layer": case.text,
                "input": case.input,
                "state": [(name, value.shape) for name, value in case.module.state_dict().items()],
                "parameters": sum(value.numel() for value in case.module.parameters()),
                "output": expected.shape,
                "values": [float(f"{value:.{DIGITS}g}") for value in expected.ravel()],
            }
            lines.append(json.dumps(content, separators=(",", ":")))
    LAYERS.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    print(f"{len(lines)} layers, {LAYERS.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
