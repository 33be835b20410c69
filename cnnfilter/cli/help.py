"""`cnnfilter help`: pages on what the options of one command do not explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnfilter.cli import COMMANDS, Command
from cnnfilter.errors import LanguageError, nearest
from cnnfilter.numbers import align

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SENTENCE = 2
"""The line of a page, counted from 0, that says what the page is about."""


def find_pages() -> dict[str, Path]:
    """Return the file of each page by its topic, in alphabetical order."""
    return {path.stem: path for path in sorted((Path(__file__).parent.parent / "help").glob("*.md"))}


def complete_topic(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the topics that begin as the incomplete one does."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415  only shells ask

    pages = find_pages()
    return [CompletionItem(name, help=_sentence(pages[name])) for name in pages if name.startswith(incomplete)]


@click.command(
    "help",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter help
  cnnfilter help formats
  cnnfilter help kernels
""",
)
@click.argument("topic", required=False, shell_complete=complete_topic)
def command(topic: str | None) -> None:
    """Show the page on a TOPIC, or list the pages.

    On a terminal a page is shown by the pager (less, or what PAGER names). The options of a command are
    explained by `cnnfilter COMMAND --help`.
    """
    pages = find_pages()
    if topic is None:
        click.echo("\n".join(align([(name, _sentence(path)) for name, path in pages.items()])))
    elif topic in pages:
        click.echo_via_pager(pages[topic].read_text(encoding="utf-8").removesuffix("\n"))  # it ends lines itself
    elif topic in COMMANDS:
        raise LanguageError(f"no page is called {topic!r}; `cnnfilter {topic} --help` explains this command")
    else:
        close = nearest(topic, pages)
        raise LanguageError(f"no page is called {topic!r}{close}; `cnnfilter help` lists the pages")


def _sentence(page: Path) -> str:
    return page.read_text(encoding="utf-8").splitlines()[SENTENCE]
