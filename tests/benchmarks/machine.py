"""The machine and the versions that figures belong to, and the peers that are there to be timed."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import cv2

LIBRARIES = ("numpy", "opencv-python", "click", "scipy", "scikit-image", "torch", "torchinfo")

BUSY = 0.5
"""A load of this much comes from others."""

TOOLS = {
    "vips": ("vips", "--version"),
    "ImageMagick": ("convert", "-version"),
    "GraphicsMagick": ("gm", "version"),
    "gmic": ("gmic", "version"),
}


def heading() -> str:
    """Return the machine and all versions, some lines of text."""
    libraries = [f"{name} {version}" for name in LIBRARIES if (version := _version(name))]
    if kind := os.environ.get("OPENBLAS_CORETYPE"):
        libraries.append(f"OpenBLAS as for {kind}")
    return "\n".join(
        [
            f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
            f"Python {platform.python_version()}, {', '.join(libraries)}",
            ", ".join(_tool(name, command) for name, command in TOOLS.items() if shutil.which(command[0])),
        ]
    ).rstrip()


def warn_if_busy() -> None:
    """Print a line if others are using the machine: calls on all cores then wait for the one that is taken."""
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"busy: the load is {load:.1f} before the first call, so figures of calls on all cores mean little")


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _tool(name: str, command: Iterable[str]) -> str:
    """Return a tool's name with its version: the first word that begins with a digit."""
    done = subprocess.run([*command], capture_output=True, text=True, check=False)
    words = re.sub(r"\x1b\[[0-9;]*m|-", " ", done.stdout + done.stderr).split()
    return f"{name} {next((word.rstrip('.,') for word in words if word[:1].isdigit() and '.' in word), '?')}"


def module(name: str) -> Any:
    """Return a module, or None if it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        return None


def hold_to_one_thread() -> None:
    """Let OpenCV begin no threads here, which copies of this process would not have."""
    cv2.setNumThreads(1)


def load_torch() -> Any:
    """Return torch, which begins no threads here, or None if it is not installed."""
    torch = module("torch")
    if torch:
        torch.set_num_threads(1)
    return torch


def use_all_cores() -> None:
    """Let OpenCV and torch, if it has been loaded, work on as many threads as there are cores."""
    cores = os.cpu_count() or 1
    cv2.setNumThreads(cores)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(cores)


def to_tensor(torch: Any, image: Any) -> Any:
    """Return an image as PyTorch has it, (1, C, H, W), contiguous."""
    volume = image if image.ndim == 3 else image[:, :, None]
    return torch.from_numpy(volume).permute(2, 0, 1)[None].contiguous()


def print_absent(*modules: str) -> None:
    """Name the peers that are not installed."""
    if absent := ", ".join(name for name in modules if module(name) is None):
        print(f"absent: {absent}")
