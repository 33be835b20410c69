"""What shells complete: kernel words, layer words, networks; and the scripts by which bash, zsh and fish ask."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from glob import escape
from pathlib import Path

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

from cnnfilter.errors import LanguageError
from cnnfilter.io.formats import FORMATS
from cnnfilter.kernels import readers
from cnnfilter.kernels.recipes import RECIPES, shown_word, usage
from cnnfilter.kernels.spec import describe, names
from cnnfilter.network_files import MODEL_SUFFIX, SUFFIXES, known_networks
from cnnfilter.nn.geometry import BorderMode, PaddingWord
from cnnfilter.nn.language import BLOCKS, OPS, SHORT, build_layer
from cnnfilter.nn.layer_options import FLAGS, KEYS
from cnnfilter.nn.layers import Normalization
from cnnfilter.nn.resampling import Interpolation

Items = list[CompletionItem]


def complete_kernel(incomplete: str) -> Items:
    """Return the kernel words, and the files of kernels, that continue a list of them."""
    start = incomplete.rfind(",") + 1
    words = _kernel_words(incomplete[start:])
    return _offer(incomplete, {incomplete[:start] + word: text for word, text in words.items()}, readers.SUFFIXES)


def complete_network(incomplete: str) -> Items:
    """Return the layers, the options, the known networks and the network files that continue a text of the language."""
    if incomplete.count("[") > incomplete.count("]"):
        return []
    start = max(map(incomplete.rfind, " \t\n(|+")) + 1
    words = dict.fromkeys(incomplete[:start] + word for word in _layer_words(incomplete[start:]))
    if start:
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]
    return _offer(incomplete, dict.fromkeys([*words, *known_networks()], ""), (*SUFFIXES, MODEL_SUFFIX))


def complete_format(incomplete: str) -> Items:
    """Return the suffixes of the formats that are written, without their dots."""
    return [CompletionItem(suffix[1:]) for suffix in FORMATS if suffix[1:].startswith(incomplete.removeprefix("."))]


def complete_colour(incomplete: str) -> Items:
    """Return the names of CSS colours."""
    from PIL.ImageColor import colormap  # noqa: PLC0415  few options have colours

    return [CompletionItem(name) for name in colormap if name.startswith(incomplete.lower())]


def complete_colormap(incomplete: str) -> Items:
    """Return the names of matplotlib's colour maps."""
    from matplotlib import colormaps  # noqa: PLC0415  one option needs it

    return [CompletionItem(name) for name in sorted(colormaps) if name.startswith(incomplete)]


def _offer(incomplete: str, words: Mapping[str, str], suffixes: tuple[str, ...]) -> Items:
    """Return the words and the files with these suffixes that begin so; if there are none, or for a path, any file."""
    if "/" in incomplete or incomplete.startswith("."):
        return [CompletionItem(incomplete, type="file")]
    items = [CompletionItem(word, help=text or None) for word, text in words.items() if word.startswith(incomplete)]
    files = sorted(map(str, Path().glob(f"{escape(incomplete)}*")))
    items += [CompletionItem(name) for name in files if name.endswith(suffixes)]
    return items or [CompletionItem(incomplete, type="file")]


def _kernel_words(last: str) -> dict[str, str]:
    """Return the names of kernels and what they do; behind a made one's name an example, and its keys."""
    name, colon, _ = last.partition(":")
    if not colon:
        return {f"{name}:" if name in RECIPES else name: describe(name) for name in names()}
    if name not in RECIPES:
        return {}
    optional = RECIPES[name].optional
    return {shown_word(name): usage(name)} | {f"{name}:{key}=": usage(name) for key in optional}


def _layer_words(last: str) -> Iterator[str]:
    """Yield the words for a layer, with a colon where options must follow; behind a colon its options."""
    word, colon, options = last.partition(":")
    if not colon:
        yield from (f"{op}:" if _needs_options(SHORT.get(op, op)) else op for op in [*OPS, *SHORT])
        yield from (f"{block}(" for block in BLOCKS)
        return
    start = len(word) + len(colon) + options.rfind(",") + 1
    op = SHORT.get(word, word)
    if op in OPS:
        yield from (last[:start] + option for option in _option_words(OPS[op].options, last[start:]))


def _needs_options(op: str) -> bool:
    try:
        build_layer(op, {})
    except LanguageError:
        return True
    return False


def _option_words(taken: Iterable[str], last: str) -> Iterator[str]:
    """Yield the options that a layer takes, and the kernels."""
    borders = [str(mode) for mode in BorderMode if mode != "constant"]
    values = {"normalize": list(map(str, Normalization)), "border": [*borders, "constant:"]}
    if "padding" in taken:
        yield from PaddingWord
    if "interpolation" in taken:
        yield from Interpolation
    yield from (flag for flag in FLAGS if flag in taken)
    for key in KEYS:
        if key in taken:
            yield from (f"{key}={value}" for value in values.get(key, [""]))
    if "kernels" in taken:
        yield from _kernel_words(last)


def split_line(line: str) -> tuple[list[str], str]:
    """Return the whole words of a line behind the program's name, and the one that is being written.

    Examples
    --------
    >>> split_line("cnnfilter shape 28 'gray con"), split_line("cnnfilter shape ")
    ((['shape', '28'], 'gray con'), (['shape'], ''))
    """
    cursor = "\0"
    *words, last = split_arg_string(line + cursor)
    return words[1:], last.removesuffix(cursor)


@add_completion_class
class LineBash(BashComplete):
    """Bash asked with the line: its own words end at each `:` and `=`, and what it replaces is the part behind them."""

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n' completion type value
    for completion in $(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORD="${COMP_WORDS[COMP_CWORD]}" \\
            COMP_BREAKS="$COMP_WORDBREAKS" %(complete_var)s=bash_complete $1); do
        IFS=',' read -r type value <<< "$completion"
        if [[ $type == 'dir' ]]; then
            COMPREPLY=()
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            COMPREPLY=()
            compopt -o default
        else
            COMPREPLY+=("$value")
            [[ $value == *[:=\\(] ]] && compopt -o nospace
        fi
    done
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is being written, and that one."""
        return split_line(os.environ["COMP_LINE"])

    def format_completion(self, item: CompletionItem) -> str:
        """Return what Bash puts in the place of its own last word."""
        value = str(item.value)
        if item.type != "plain" or os.environ["COMP_WORD"][:1] in {'"', "'"}:
            return f"{item.type},{value}"
        incomplete, breaks = self.get_completion_args()[1], set(os.environ["COMP_BREAKS"])
        start = 1 + max((place for place, sign in enumerate(incomplete) if sign in breaks), default=-1)
        return "plain," + re.sub(r"([^-\w:=,./@+])", r"\\\1", value[start:])


@add_completion_class
class OpenZsh(ZshComplete):
    """Zsh without a space behind words that are to be continued."""

    source_template = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a plain plain_open described described_open response
    (( ! $+commands[%(prog_name)s] )) && return 1
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) %(complete_var)s=zsh_complete \\
        %(prog_name)s)}")
    for type key text in ${response}; do
        case "$type,$key,$text" in
            dir,*) _path_files -/ ;;
            file,*) _path_files -f ;;
            plain,*[:=\\(],_) plain_open+=("$key") ;;
            plain,*,_) plain+=("$key") ;;
            plain,*[:=],*) described_open+=("$key":"$text") ;;
            plain,*) described+=("$key":"$text") ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#described_open )) && _describe -V unsorted described_open -U -S ''
    (( $#plain )) && compadd -U -V unsorted -a plain
    (( $#plain_open )) && compadd -U -S '' -V unsorted -a plain_open
    return 0
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


@add_completion_class
class LineFish(FishComplete):
    """Fish asked with the line; values may hold commas."""

    source_template = """\
function %(complete_func)s
    for completion in (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) %(prog_name)s)
        set -l parts (string split --max 1 "," $completion)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo $parts[2]
        end
    end
end

complete --no-files --keep-order --command %(prog_name)s --arguments "(%(complete_func)s)"
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is being written, and that one."""
        return split_line(os.environ["COMP_WORDS"])
