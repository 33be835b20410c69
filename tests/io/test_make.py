"""What make wants to know: which outputs are up to date, and the rules."""

import os
import subprocess
from pathlib import Path

import pytest

from cnnfilter.cli.report import write_empty_rules, write_rule
from cnnfilter.errors import OutputError
from cnnfilter.run.inputs import is_up_to_date


def stamp(path: Path, time: int) -> Path:
    """Make a file of a time."""
    path.touch()
    os.utime(path, ns=(time, time))
    return path


@pytest.mark.parametrize(
    ("outputs", "source", "kernel", "expected"),
    [
        ([30], 10, 20, True),
        ([20], 20, 20, True),
        ([15], 10, 20, False),
        ([15], 20, 10, False),
        ([30, 15], 20, 10, False),
        ([30, None], 10, 20, False),
        ([30], None, 20, False),
        ([30], 10, None, False),
    ],
)
def test_an_output_is_up_to_date_that_is_no_older_than_all_it_hangs_on(
    tmp_path: Path, outputs: list[int | None], source: int | None, kernel: int | None, expected: bool
) -> None:
    times = {**{f"{number}.png": time for number, time in enumerate(outputs)}, "in.png": source, "k.txt": kernel}
    for name, time in times.items():
        if time is not None:
            stamp(tmp_path / name, time)
    made = [str(tmp_path / f"{number}.png") for number in range(len(outputs))]
    assert is_up_to_date(made, str(tmp_path / "in.png"), [tmp_path / "k.txt"]) is expected


def test_what_comes_from_standard_input_is_never_up_to_date(tmp_path: Path) -> None:
    assert not is_up_to_date([str(stamp(tmp_path / "out.png", 10**18))], "-", [])


def test_a_rule_for_standard_input_hangs_on_the_other_files() -> None:
    assert write_rule(["out.png"], "-", [Path("k.txt")]) == "out.png: k.txt\n"
    assert write_rule(["a-1.png", "a-2.png"], "a.png", []) == "a-1.png a-2.png: a.png\n"


@pytest.mark.parametrize(
    "name",
    [
        "plain.txt",
        "a b.txt",
        "a#b.txt",
        "a$b.txt",
        "100%.txt",
        "a:b.txt",
        "größe.txt",
        "a*b.txt",
        "a?b.txt",
        "a[b].txt",
    ],
)
def test_make_reads_every_name_as_it_was_written(tmp_path: Path, name: str) -> None:
    source, kernel, output = (stamp(tmp_path / f"{part}{name}", 10**18) for part in ("", "k-", "out-"))
    rule = write_rule([output.name], source.name, [Path(kernel.name)])
    (tmp_path / "rules.mk").write_text(f"{rule}\t@false\n{write_empty_rules([Path(kernel.name)])}")

    def asks_for_work() -> bool:
        words = ["make", "-q", "-f", "rules.mk", output.name]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
        assert (done.returncode in {0, 1}, done.stderr) == (True, b"")
        return done.returncode == 1

    assert not asks_for_work()
    for changed in (source, kernel):
        stamp(changed, 10**18 + 10**9)
        assert asks_for_work()
        stamp(changed, 10**18)
    kernel.unlink()
    assert asks_for_work()


def test_a_name_that_make_cannot_read_is_refused() -> None:
    with pytest.raises(OutputError, match="a line end"):
        write_rule(["out.png"], "a\nb.png", [])
