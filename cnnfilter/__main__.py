"""`python -m cnnfilter` is the command."""

import sys


def run() -> None:
    """Run the command; an interrupt while it is being loaded ends it as one later does."""
    try:
        from cnnfilter.cli import main  # noqa: PLC0415

        main(prog_name="cnnfilter")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
