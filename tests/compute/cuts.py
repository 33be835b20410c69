"""Networks on images that are cut at random, part by part and at once: how many of their numbers differ."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import pairwise, product
from typing import NamedTuple

import cv2
import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.alpha import plan_visible, run_visible
from cnnfilter.compute.convolve import place_tiles
from cnnfilter.compute.exact import find_facts
from cnnfilter.compute.forward import Program, Step, as_volume, plan_program, run_program
from cnnfilter.compute.plan import Engine, LaidKernel, Plan, Task, all_plans
from cnnfilter.compute.state_dict import RandomWeights
from cnnfilter.compute.threads import limit_threads
from cnnfilter.compute.tiles import Model, Strip, cut_part
from cnnfilter.errors import ShapeError
from cnnfilter.kernels import made
from cnnfilter.kernels.spec import Kernel, kernel_shape
from cnnfilter.nn.geometry import Border, BorderMode, Window, as_padding
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Conv, DepthwiseConv, KernelWord
from cnnfilter.nn.network import Network

Random = np.random.Generator

TYPES = ("uint8", "uint16", "int16", "float32", "float64")

KERNELS: dict[str, Callable[[int, Random], Doubles]] = {
    "fractions": lambda size, random: random.standard_normal((size, random.integers(1, size + 1))),
    "whole": lambda size, random: random.integers(-9, 10, (size, size)).astype(np.float64),
    "a Gaussian": lambda size, random: made.gaussian(size, float(random.uniform(0.5, size / 3 + 0.6))),
    "equal fractions": lambda size, random: np.full((size, random.integers(1, size + 1)), random.uniform(0.1, 1)),
    "a mean": lambda size, _: np.full((size, size), 1 / size**2),
    "ones": lambda size, random: np.ones((size, random.integers(1, size + 1))),
    "a diagonal": lambda size, random: np.diag(random.standard_normal(size))[:: random.choice([-1, 1])],
    "a long column": lambda size, random: random.standard_normal((14 * size, 1)),
    "a long row": lambda size, random: random.standard_normal((1, 14 * size)),
    "a long diagonal": lambda size, random: np.diag(random.standard_normal(10 * size)),
    "two products": lambda size, random: random.standard_normal((size, 2)) @ random.standard_normal((2, size)),
    "few": lambda size, random: random.standard_normal((size, size)) * (random.random((size, size)) < 0.2),
    "zeros": lambda size, _: np.zeros((size, size)),
}

NETWORKS = (
    "conv:3x3,16,p1 relu maxpool:2 conv:5x5,8,s2,p2 tanh",
    "conv:1x1,5 sigmoid conv:3x3,20,same gelu",
    "conv:9x9,2,p4 avgpool:3,s1,p1 conv:3x3,1",
    "conv:3x3,70 batchnorm leakyrelu dwconv:3x3,p1 lrn:3",
    "dwconv:box:3,p1 conv:3x3,4,p1 softmax",
    "gray conv:gaussian:11:2,same,border=reflect conv:log:15:2,same,border=symmetric",
    "maxpool:3,s1,p1 avgpool:5,s2 l2pool:2",
    "minpool:2,s1 medianpool:3,s1 avgpool:2",
    "avgpool:15,s1,p7 l2pool:3,s1,countpad",
    "avgpool:4,countpad,p1 medianpool:2,s1 maxpool:2,d2,s1",
    "dwconv:sharpen,p1,border=edge relu dwconv:gabor:21:4:30:8,same,border=edge",
    "conv:sobel-x,sobel-y,p1 magnitude dwconv:usm:2:1",
)
"""Networks that can be cut."""

VISIBLE = (
    "dwconv:log:17:3,same,border=reflect",
    "dwconv:usm:3:1,same,border=symmetric",
    "dwconv:gabor:17:3:45:6,s2x3,p3",
    "conv:log:17:3,d2,same,border=constant:9",
    "dwconv:log:17:3,same,border=wrap",
    "dwconv:gaussian:31:5,same,border=edge dwconv:sharpen,p1",
    "dwconv:usm:3:1,same dwconv:log:17:3,same,border=edge",
    "avgpool:3,s1,p1 dwconv:sobel-x,p1 l2pool:2",
)
"""Networks for colours with alpha."""


class Case(NamedTuple):
    """A network on an image, or on its colours with alpha (H, W, 1) from 0 to 1."""

    title: str
    program: Program
    image: Array
    alpha: Floats | None = None

    def run(self, strip: Strip | None = None) -> Array:
        """Return what comes out of the whole, or of a strip: (H', W', C'), alpha as the last of the channels."""
        program = strip.program if strip else self.program
        image = np.ascontiguousarray(strip.read(self.image)) if strip else self.image
        if self.alpha is None:
            return as_volume(run_program(program, image))
        values, alpha = run_visible(program, image, strip.read(self.alpha) if strip else self.alpha)
        return np.concatenate([as_volume(values), alpha], axis=2)


def draw_image(random: Random, *, least: int = 1, channels: tuple[int, ...] = (1, 3, 4, 5)) -> Array:
    """Return a random image of any type, floats sometimes with a few numbers that are none."""
    shape = *(int(side) for side in random.integers(least, 200, 2)), int(random.choice(channels))
    dtype = np.dtype(random.choice(TYPES))
    if dtype.kind != "f":
        pixels: Array = random.integers(0, 256, shape).astype(dtype)
        return pixels - 100 if dtype.kind == "i" else pixels
    image = random.standard_normal(shape).astype(dtype)
    if random.random() < 0.1:
        image.flat[random.integers(0, image.size, 3)] = [np.nan, np.inf, 1e38 if dtype == np.float32 else 1e300]
    return image


def draw_kernel(random: Random) -> Case:
    """Return a random kernel on a random image, carried out by any engine that can."""
    while True:
        try:
            return _lay_kernel(random)
        except ShapeError:  # it is larger than the image
            continue


def _lay_kernel(random: Random) -> Case:
    """Return what `draw_kernel` does, where a kernel fits."""
    name, image = str(random.choice(list(KERNELS))), draw_image(random)
    kernel = KERNELS[name](int(random.integers(1, random.choice([6, 28]))), random)
    stride, dilation = (
        (int(down), int(along)) if random.random() < 0.3 else (1, 1) for down, along in random.integers(1, 5, (2, 2))
    )
    mode = BorderMode(random.choice(list(BorderMode)))
    border = Border(mode, float(random.choice([-5.0, 0.25])) if mode is BorderMode.CONSTANT else 0.0)
    sides = tuple(int(side) for side in random.integers(0, 30, 4))
    padding = ("valid", "same", "same-lower", "half", "full", sides)[random.integers(0, 6)]
    window = Window((kernel.shape[0], kernel.shape[1]), stride, as_padding(padding), dilation)
    sums = random.random() < 0.2
    shape = (*kernel.shape, image.shape[2]) if sums else kernel.shape
    weights = np.repeat(kernel[:, :, None], image.shape[2], axis=2) if sums else kernel
    layer = (Conv if sums else DepthwiseConv)(window=window, kernels=(KernelWord("k", shape),), border=border)
    network = Network((layer,))
    network.output(image.shape)
    program = Program(network, (Step(network.nodes[0], (Kernel(weights),), {}, ()),))
    planned = plan_program(program, image.shape, find_facts(image))
    planned, engine = _take_any_plan(planned, kernel, image, random)
    return Case(f"{engine}: {name} {image.shape} {image.dtype} {layer.text}", planned, image)


def _take_any_plan(program: Program, kernel: Doubles, image: Array, random: Random) -> tuple[Program, str]:
    """Return a planned program with any of the plans that would do, and its engine."""
    (step,) = program.steps
    assert step.place
    method, window = step.place.method, step.node.layer.window  # type: ignore[attr-defined]
    if method.way != "each" or len(method.plans) > 1:
        return program, str(method.plans[0])
    laid = kernel * method.divisor if method.numbers.whole else kernel
    laid = np.rint(laid) if method.numbers.whole else laid
    channels = 1 if method.added else image.shape[2]
    task = Task((image.shape[0], image.shape[1]), channels, window.stride, window.dilation)
    plans: list[Plan] = all_plans(LaidKernel(laid, method.numbers, task))
    plan = plans[random.integers(0, len(plans))]
    grid = place_tiles(plan, image.shape, window) if plan.engine is Engine.FOURIER else None
    place = step.place._replace(method=method._replace(plans=(plan,), grids=(grid,)))
    return Program(program.network, (step._replace(place=place),)), f"{plan.engine} {plan.phases}"


def draw_network(random: Random) -> Case:
    """Return one of the networks on a random image."""
    text = NETWORKS[random.integers(0, len(NETWORKS))]
    image = draw_image(random, least=50, channels=(3,) if "gray" in text else (1, 3, 4))
    model = Model(parse_network(text, kernel_shape), RandomWeights("he"))
    return Case(f"{text} {image.shape} {image.dtype}", model.program(image.shape), image)


def draw_visible(random: Random, text: str = "") -> Case:
    """Return a network, any for alpha unless it is said, on random colours, whose alpha has a level in each area."""
    text, image = text or str(random.choice(VISIBLE)), np.abs(draw_image(random, least=60, channels=(3,)))
    sides = [int(side) for side in random.choice([9, 50, 200], 2)]
    shape = [-(-size // side) for size, side in zip(image.shape[:2], sides, strict=True)]
    areas = random.choice([0, 1 / 255, 0.25, 0.7, 1], shape)
    alpha = areas.repeat(sides[0], axis=0).repeat(sides[1], axis=1)[: image.shape[0], : image.shape[1], None]
    program = Model(parse_network(text, kernel_shape)).program(image.shape)
    planned = plan_visible(plan_program(program, image.shape, find_facts(image)), image.shape)
    return Case(f"{text} {image.shape} {image.dtype}, alpha {sides}", planned, image, alpha.astype(np.float32))


def draw_cases(random: Random, count: int) -> Iterator[Case]:
    """Yield so many random cases, most of them of one kernel."""
    for _ in range(count):
        draw = (draw_kernel, draw_network, draw_visible)[random.choice(3, p=[0.8, 0.15, 0.05])]
        yield draw(random)


def count_differences(case: Case, random: Random) -> tuple[int, int]:
    """Return how many parts a result is cut into, and how many numbers differ from those of the whole."""
    if case.program.planned is not None:
        case = case._replace(program=plan_program(case.program, case.image.shape, find_facts(case.image)))
    _set_threads(random)
    whole = case.run()
    _set_threads(random)
    joined = np.empty_like(whole)
    down, across = (_draw_ranges(side, random) for side in whole.shape[:2])
    for rows, columns in product(down, across):
        joined[rows, columns] = case.run(cut_part(case.program, case.image.shape, rows, columns))
    _set_threads(None)
    for values in (whole, joined):
        values[np.isnan(values)] = np.nan  # of which there are several, whatever they come of
    return len(down) * len(across), int(np.count_nonzero(joined.view(np.uint8) != whole.view(np.uint8)))


def _draw_ranges(side: int, random: Random) -> list[slice]:
    """Return up to three ranges that make up a side."""
    edges = sorted({0, side, *random.integers(1, side + 1, 2).tolist()})
    return [slice(first, last) for first, last in pairwise(edges)]


def _set_threads(random: Random | None) -> None:
    """Have calculations, and OpenCV, use some number of threads; None is as many as there are cores."""
    limit_threads(None if random is None else int(random.choice([1, 2, 4])))
    cv2.setNumThreads(-1 if random is None else int(random.choice([1, 2, 4])))


if __name__ == "__main__":  # python -m tests.compute.cuts 10000
    generator, wanted, made_of, differing = np.random.default_rng(), int(sys.argv[1]), 0, 0
    while made_of < wanted:
        for drawn in draw_cases(generator, 1):
            cut_into, differences = count_differences(drawn, generator)
            made_of, differing = made_of + cut_into, differing + differences
            if differences:
                print(f"{differences} bytes differ: {drawn.title}")
    print(f"{made_of} parts, {differing} bytes differ")
