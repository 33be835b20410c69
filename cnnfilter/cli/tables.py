"""Tables of text as CSV and as Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence


def write_markdown(
    head: Sequence[str], rows: Iterable[Sequence[str]], flush_right: tuple[int, ...] = ()
) -> Iterator[str]:
    r"""Yield the lines of a Markdown table.

    Examples
    --------
    >>> list(write_markdown(("a", "b"), [("1|2", "3")], flush_right=(1,)))
    ['| a | b |', '|---|---:|', '| 1\\|2 | 3 |']
    """
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---:' if place in flush_right else '---' for place in range(len(head)))}|"
    for row in rows:
        yield f"| {' | '.join(_in_markdown(cell) for cell in row)} |"


def _in_markdown(cell: str) -> str:
    """Return a cell in which no sign parts columns, and spaces at its start stay."""
    text = cell.replace("|", "\\|")
    return "&nbsp;" * (len(text) - len(text.lstrip())) + text.lstrip()


def write_csv(head: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    r"""Return rows as comma-separated values.

    Examples
    --------
    >>> write_csv(["name", "text"], [{"name": "conv1", "text": "conv:3x3,16"}])
    'name,text\nconv1,"conv:3x3,16"'
    """
    import csv  # noqa: PLC0415  a table goes without
    import io  # noqa: PLC0415

    file = io.StringIO()
    writer = csv.DictWriter(file, head, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().rstrip("\n")
