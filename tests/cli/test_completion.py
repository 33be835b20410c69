"""What shells are offered for the word that is being written, asked as Click does, and in bash, zsh and fish."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import CompletionItem, ShellComplete

from cnnfilter.cli import COMMANDS, main
from cnnfilter.cli.completion import LineBash, LineFish, OpenZsh
from cnnfilter.kernels.recipes import RECIPES
from cnnfilter.kernels.spec import names
from cnnfilter.network_files import known_networks
from cnnfilter.nn.geometry import BorderMode, PaddingWord
from cnnfilter.nn.language import BLOCKS, OPS, SHORT
from cnnfilter.nn.layers import Function

KERNEL_WORDS = [f"{name}:" if name in RECIPES else name for name in names()]


def completions(*words: str, incomplete: str) -> list[CompletionItem]:
    """Return what a shell is offered for the word that is being written."""
    complete = ShellComplete(main, {}, "cnnfilter", "_CNNFILTER_COMPLETE")
    return complete.get_completions(list(words), incomplete)


def values(*words: str, incomplete: str) -> list[str]:
    """Return the words among what a shell is offered."""
    return [item.value for item in completions(*words, incomplete=incomplete) if item.type == "plain"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "words", [("convolve", "x.png", "-k"), ("convolve", "--kernel"), ("kernels",), ("shape", "-k")]
)
def test_kernels_are_completed(words: tuple[str, ...]) -> None:
    assert values(*words, incomplete="sobel") == ["sobel-x", "sobel-y"]
    assert values(*words, incomplete="") == KERNEL_WORDS
    assert all(item.help for item in completions(*words, incomplete="g"))


@pytest.mark.parametrize(
    ("incomplete", "expected"),
    [
        ("sobel-x,sobel-", ["sobel-x,sobel-x", "sobel-x,sobel-y"]),
        ("blur,gaus", ["blur,gaussian-3", "blur,gaussian-5", "blur,gaussian:"]),
        ("gaussian:", ["gaussian:13:2", "gaussian:n=", "gaussian:sigma="]),
        ("box:", ["box:7"]),
        ("sharpen:", []),
    ],
)
def test_kernels_are_completed_behind_a_comma_and_their_arguments_behind_a_colon(
    incomplete: str, expected: list[str]
) -> None:
    assert sorted(values("convolve", "-k", incomplete=incomplete)) == sorted(expected)


@pytest.mark.parametrize("incomplete", ["./ker", "folder/k", "..", "zzz"])
@pytest.mark.parametrize("words", [("convolve", "-k"), ("pipeline",), ("shape",)], ids=" ".join)
def test_files_are_completed_for_a_path_and_where_no_word_fits(words: tuple[str, ...], incomplete: str) -> None:
    (item,) = completions(*words, incomplete=incomplete)
    assert (item.type, item.value) == ("file", incomplete)


def test_files_of_kernels_and_networks_are_offered_beside_the_words(folder: Path) -> None:
    for name in ("sharp.txt", "shape.toml", "share.png"):
        (folder / name).touch()
    assert values("convolve", "-k", incomplete="sha") == ["sharpen", "sharpen-8", "sharp.txt"]
    assert values("pipeline", incomplete="sha") == ["shape.toml", "sharp.txt"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("words", [("pipeline",), ("shape",), ("shape", "28x28")], ids=" ".join)
def test_layers_and_known_networks_are_completed(words: tuple[str, ...]) -> None:
    offered = values(*words, incomplete="")
    ops = [*OPS, *SHORT]
    assert [word.removesuffix(":") for word in offered[: len(ops)]] == ops
    assert offered[len(ops) :] == [*(f"{block}(" for block in BLOCKS), *known_networks()]
    assert values(*words, incomplete="resn") == ["resnet18", "resnet50"]


@pytest.mark.parametrize(
    ("incomplete", "expected"),
    [
        ("conv", ["conv:", "convnet"]),
        ("max", ["maxpool:"]),
        ("conv:3x3+rel", ["conv:3x3+relu", "conv:3x3+relu6"]),
        ("res(re", ["res(relu", "res(relu6", "res(res("]),
        ("res(relu | max", ["res(relu | maxpool:"]),
        ("gray conv:prewitt", ["gray conv:prewitt-x", "gray conv:prewitt-y"]),
        ("conv:sobel-x,sobel-", ["conv:sobel-x,sobel-x", "conv:sobel-x,sobel-y"]),
        ("conv:3x3,16,same", ["conv:3x3,16,same", "conv:3x3,16,same-lower"]),
        ("conv:3x3,border=s", ["conv:3x3,border=symmetric"]),
        ("conv:3x3,norm", [f"conv:3x3,normalize={word}" for word in ("none", "sum", "abs")]),
        ("avgpool:2,c", ["avgpool:2,ceil", "avgpool:2,countpad"]),
        ("maxpool:2,sob", []),
        ("bn:e", ["bn:eps="]),
        ("groupnorm:4,n", ["groupnorm:4,noaffine"]),
        ("upsample:2,", ["upsample:2,nearest", "upsample:2,bilinear"]),
        ("prelu:", ["prelu:each"]),
        ("conv:[0 1; so", []),
        ("relu zzz", []),
    ],
)
@pytest.mark.parametrize("words", [("pipeline",), ("shape", "28x28")], ids=" ".join)
def test_the_last_layer_of_a_text_is_completed(words: tuple[str, ...], incomplete: str, expected: list[str]) -> None:
    assert values(*words, incomplete=incomplete) == expected


@pytest.mark.parametrize(
    ("words", "incomplete", "expected"),
    [
        ((), "", list(COMMANDS)),
        ((), "p", ["pool", "pipeline"]),
        (("help",), "form", ["formats"]),
        (("convolve", "-p"), "", list(PaddingWord)),
        (("convolve", "--border"), "", [mode for mode in BorderMode if mode != "constant"]),
        (("convolve", "--activation"), "", list(Function)),
        (("convolve", "--activation"), "relu", ["relu", "relu6"]),
        (("convolve", "--combine"), "m", ["magnitude", "max", "mean"]),
        (("convolve", "--format"), "jp", ["jpg", "jpeg", "jpe", "jp2"]),
        (("convolve", "--background"), "whi", ["white", "whitesmoke"]),
        (("convolve", "--colormap"), "virid", ["viridis", "viridis_r"]),
        (("convolve", "--normal"), "", []),
        (("convolve",), "--normal", ["--normalize"]),
        (("pool", "-m"), "m", ["max", "min", "median"]),
        (("pool", "--over"), "", ["space", "channels"]),
        (("pipeline", "relu", "x.png", "--depth"), "", ["8", "16", "float"]),
        (("shape", "--solve"), "", ["stride", "padding", "kernel", "dilation"]),
    ],
)
def test_commands_and_the_words_of_options_are_completed(
    words: tuple[str, ...], incomplete: str, expected: list[str]
) -> None:
    assert values(*words, incomplete=incomplete) == expected


@pytest.mark.parametrize("words", [("convolve",), ("convolve", "-o"), ("pipeline", "relu"), ("pipeline", "--weights")])
def test_files_are_completed_for_inputs_and_outputs(words: tuple[str, ...]) -> None:
    (item,) = completions(*words, incomplete="pho")
    assert (item.type, item.value) == ("file", "pho")


@pytest.mark.parametrize(
    ("line", "word", "expected"),
    [
        ("cnnfilter convolve city.png -k shar", "shar", ["sharpen", "sharpen-8"]),
        ("cnnfilter shape 28 conv:sob", "sob", ["sobel-x", "sobel-y"]),  # bash's own word begins behind the colon
        ("cnnfilter shape 28 conv:", ":", ["valid", "same"]),
        ("cnnfilter shape 28 conv:3x3,border=re", "re", ["reflect"]),
        ('cnnfilter pipeline "gray conv:prew', '"gray conv:prew', ["gray conv:prewitt-x", "gray conv:prewitt-y"]),
        ("cnnfilter shape 28 ca", "ca", [r"cat\("]),
        ("cnnfilter ", "", list(COMMANDS)),
    ],
)
def test_bash_is_given_what_it_puts_in_the_place_of_its_own_word(
    monkeypatch: pytest.MonkeyPatch, line: str, word: str, expected: list[str]
) -> None:
    for name, value in {"LINE": line, "WORD": word, "BREAKS": " \t\n\"'><=;|&(:"}.items():
        monkeypatch.setenv(f"COMP_{name}", value)
    answer = LineBash(main, {}, "cnnfilter", "_CNNFILTER_COMPLETE").complete()
    assert answer.splitlines()[: len(expected)] == [f"plain,{value}" for value in expected]


def test_zsh_and_fish_are_given_the_whole_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_WORDS", "cnnfilter convolve x.png -k sobel-x,sobel-")
    monkeypatch.setenv("COMP_CWORD", "4")
    zsh = OpenZsh(main, {}, "cnnfilter", "_CNNFILTER_COMPLETE").complete().splitlines()
    fish = LineFish(main, {}, "cnnfilter", "_CNNFILTER_COMPLETE").complete().splitlines()
    assert zsh[0::3] == ["plain", "plain"]
    assert zsh[1::3] == ["sobel-x,sobel-x", "sobel-x,sobel-y"]
    assert [line.split("\t")[0] for line in fish] == ["plain,sobel-x,sobel-x", "plain,sobel-x,sobel-y"]


ASK = {
    "bash": r"""
        compopt() { [[ $* == "-o nospace" ]] || echo "$@"; }
        eval "$(_CNNFILTER_COMPLETE=bash_source cnnfilter)"
        COMP_LINE="$1" COMP_POINT=${#1} COMP_WORDS=("$2") COMP_CWORD=0 COMPREPLY=()
        _cnnfilter_completion cnnfilter
        printf '%s\n' "${COMPREPLY[@]}"
    """,
    "zsh": r"""
        compdef() { : }
        compadd() { print -rl -- ${(P)argv[-1]} }
        _describe() { print -rl -- ${${(P)3}/:vertical*/} }
        _path_files() { print -- "$@" }
        eval "$(_CNNFILTER_COMPLETE=zsh_source cnnfilter)"
        words=("${(@s: :)1}")
        CURRENT=$#words
        _cnnfilter_completion
    """,
    "fish": r"""
        _CNNFILTER_COMPLETE=fish_source cnnfilter | source
        complete --do-complete $argv[1]
    """,
}
"""What asks each shell how it would complete a line; the first two have stubs of what only a prompt has."""


@pytest.mark.parametrize("shell", ASK)
@pytest.mark.parametrize(
    ("line", "word", "expected"),
    [
        ("cnnfilter pipeline resnet1", "resnet1", "resnet18"),
        ("cnnfilter shape 28 conv:3x3,border=re", "re", "conv:3x3,border=reflect"),
        ("cnnfilter convolve x.png -k blur,sobel-x", "blur,sobel-x", "blur,sobel-x"),
    ],
)
def test_the_script_of_a_shell_works_in_it(shell: str, line: str, word: str, expected: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    command = tmp_path / "cnnfilter"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m cnnfilter "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    root = Path(__file__).resolve().parents[2]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(root), "HOME": str(tmp_path)}
    arguments = [program, "-c", ASK[shell], *(["-"] if shell != "fish" else []), line, word]
    done = subprocess.run(arguments, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    offered = [line.split("\t")[0].strip() for line in done.stdout.splitlines()]  # fish describes them
    assert offered == [expected.rpartition("=")[2] if shell == "bash" else expected]
