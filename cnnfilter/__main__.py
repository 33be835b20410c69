"""`python -m cnnfilter` is the command."""

from cnnfilter.cli import main

main(prog_name="cnnfilter")
