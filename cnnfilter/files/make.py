"""What make wants to know: whether outputs are newer than what they hang on, and the rules that say so."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from cnnfilter.errors import OutputError
from cnnfilter.files.outputs import STANDARD


def is_up_to_date(outputs: Sequence[Path], source: str, prerequisites: Iterable[Path]) -> bool:
    """Return whether no output is missing, or older than its input or another file that it hangs on, as make has it.

    What cannot be looked at is taken for changed, and so is standard input.
    """
    if source == STANDARD:
        return False
    try:
        oldest = min(output.stat().st_mtime_ns for output in outputs)
        return all(path.stat().st_mtime_ns <= oldest for path in (Path(source), *prerequisites))
    except OSError:
        return False


def write_rule(outputs: Iterable[str], source: str, prerequisites: Iterable[Path]) -> str:
    r"""Return a rule of a makefile: outputs hang on an input and other files.

    Examples
    --------
    >>> write_rule(["out/a b.png"], "a b.png", [Path("k#1.txt")])
    'out/a\\ b.png: a\\ b.png k\\#1.txt\n'
    """
    needed = [*([] if source == STANDARD else [source]), *map(str, prerequisites)]
    return f"{' '.join(map(_quote_target, outputs))}: {' '.join(map(_quote, needed))}\n"


def check_names(names: Iterable[str]) -> None:
    """Raise an `OutputError` if a name cannot stand in rules for make."""
    for name in names:
        _quote(name)


def write_empty_rules(prerequisites: Iterable[Path]) -> str:
    """Return rules by which a kernel or a network that is gone is no reason for make to give up."""
    return "".join(f"{_quote_target(os.fspath(path))}:\n" for path in dict.fromkeys(prerequisites))


def _quote(name: str) -> str:
    """Return a name as make reads it back, or raise an `OutputError` if it has no way to."""
    for sign, word in _UNSPEAKABLE.items():
        if sign in name:
            raise OutputError(f"a name with {word} cannot stand in rules for make", path=name)
    marked = re.sub(r"(\\*)([ #:*?\[])", r"\1\1\\\2", name)
    return marked.replace("$", "$$")


_UNSPEAKABLE = {"\n": "a line end", "\t": "a tab", "=": "'='", ";": "';'", "|": "'|'"}
"""What makes a variable, a recipe or something else of a rule, whatever stands before it: `a!=b` runs b."""


def _quote_target(name: str) -> str:
    """Return a name left of the colon, where a percent sign would make a pattern of it."""
    return _quote(name).replace("%", r"\%")
