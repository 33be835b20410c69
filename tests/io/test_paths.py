"""Where results go: every name worked out and checked before any work."""

from pathlib import Path

import pytest

from cnnfilter.errors import OutputError
from cnnfilter.io.paths import Job, OutputRequest, plan_outputs


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder: pictures, a matrix, and folders."""
    for name in (
        "a.png",
        "b.jpg",
        "m.txt",
        "noext",
        "sub/a.png",
        "out/old.png",
        "many.png/inside.txt",
        "out/full.png/inside.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"untouched")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def targets(sources: list[str], output: str | None, **request: object) -> list[str | None]:
    jobs = plan_outputs(sources, OutputRequest(output, **request))  # type: ignore[arg-type]  # a table's columns
    return [job.target.as_posix() if job.target else None for job in jobs]


def refusal(sources: list[str], output: str | None, **request: object) -> str:
    """Return the message of the refusal, which is one line; nothing was written."""
    before = sorted(path for path in Path().rglob("*"))
    with pytest.raises(OutputError) as caught:
        targets(sources, output, **request)
    assert sorted(path for path in Path().rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Names


@pytest.mark.parametrize(
    ("sources", "output", "names"),
    [
        pytest.param(["a.png"], "new.png", ["new.png"], id="a-file"),
        pytest.param(["a.png"], "new.jpg", ["new.jpg"], id="a-file-of-another-format"),
        pytest.param(["a.png"], "out/old.png", ["out/old.png"], id="a-file-that-exists"),
        pytest.param(["a.png"], "out", ["out/a.png"], id="a-folder-that-exists"),
        pytest.param(["a.png"], "out/", ["out/a.png"], id="a-folder-with-a-stroke"),
        pytest.param(["a.png"], "many.png", ["many.png/a.png"], id="a-folder-with-a-suffix"),
        pytest.param(["a.png"], "new/", ["new/a.png"], id="a-folder-to-be-made"),
        pytest.param(["a.png"], "new/deep/", ["new/deep/a.png"], id="folders-to-be-made"),
        pytest.param(["a.png", "b.jpg", "m.txt"], "out", ["out/a.png", "out/b.jpg", "out/m.txt"], id="several"),
        pytest.param(["sub/a.png"], ".", ["a.png"], id="the-current-folder"),
        pytest.param(["a.png"], "out/{stem}-soft.png", ["out/a-soft.png"], id="stem"),
        pytest.param(["a.png"], "out/{name}.jpg", ["out/a.png.jpg"], id="name"),
        pytest.param(["a.png", "b.jpg"], "out/{stem}{ext}", ["out/a.png", "out/b.jpg"], id="ext"),
        pytest.param(["a.png", "sub/a.png"], "out/{index}.png", ["out/1.png", "out/2.png"], id="index"),
        pytest.param(["a.png"], "{stem}{stem}.png", ["aa.png"], id="a-field-twice"),
        pytest.param(["a.png"], "new/deep/{stem}.png", ["new/deep/a.png"], id="a-template-in-a-folder-to-be-made"),
        pytest.param(["sub/a.png", "a.png"], "{parent}/x{ext}", ["sub/x.png", "x.png"], id="parent"),
        pytest.param(["sub/a.png"], "out/{parent}/{stem}.jpg", ["out/sub/a.jpg"], id="parent-in-a-folder"),
        pytest.param(["../far/a.png"], "{parent}/{stem}-x.png", ["../far/a-x.png"], id="parent-outside"),
        pytest.param(["/far/a.png"], "{parent}/x/{stem}.png", ["/far/x/a.png"], id="parent-from-the-root"),
        pytest.param(["sub/b.jpg"], "out/{parent}/", ["out/sub/b.jpg"], id="parent-as-folder"),
        pytest.param(["missing.png"], "new.png", ["new.png"], id="an-input-that-is-not-there"),
    ],
)
@pytest.mark.usefixtures("desk")
def test_an_output_names_a_file_a_folder_or_a_template(sources: list[str], output: str, names: list[str]) -> None:
    assert targets(sources, output) == names


def test_planning_writes_nothing_and_makes_no_folder(desk: Path) -> None:
    before = sorted(desk.rglob("*"))
    plan_outputs(["a.png"], OutputRequest("new/deep/"))
    plan_outputs(["a.png"], OutputRequest("out/old.png"))
    assert sorted(desk.rglob("*")) == before
    assert (desk / "out/old.png").read_bytes() == b"untouched"


@pytest.mark.usefixtures("desk")
def test_indices_are_padded_to_the_width_of_the_last() -> None:
    sources = [f"{letter}.png" for letter in "abcdefghij"]
    names = targets(sources, "out/{index}.png")
    assert names[0] == "out/01.png"
    assert names[-1] == "out/10.png"


@pytest.mark.usefixtures("desk")
def test_a_job_names_its_input_its_kernel_and_its_format() -> None:
    jobs = plan_outputs(["a.png", "b.jpg"], OutputRequest("out/{stem}-{kernel}.tif", kernels=("blur", "edge")))
    assert jobs == [
        Job("a.png", 0, Path("out/a-blur.tif"), "out/a-blur.tif"),
        Job("a.png", 1, Path("out/a-edge.tif"), "out/a-edge.tif"),
        Job("b.jpg", 0, Path("out/b-blur.tif"), "out/b-blur.tif"),
        Job("b.jpg", 1, Path("out/b-edge.tif"), "out/b-edge.tif"),
    ]


# Several kernels

_KERNELS = {
    "sobel-x": "sobel-x",
    "gaussian:15:2.5": "gaussian_15_2.5",
    "gaussian:sigma=2.5": "gaussian_sigma_2.5",
    "kernels/my own.txt": "kernels_my_own.txt",
    "../k_1.csv": ".._k_1.csv",
}


@pytest.mark.parametrize(("word", "label"), _KERNELS.items())
@pytest.mark.usefixtures("desk")
def test_a_kernel_names_its_file_by_letters_digits_points_and_hyphens(word: str, label: str) -> None:
    assert targets(["a.png"], "out", kernels=(word, "blur")) == [f"out/a-{label}.png", "out/a-blur.png"]
    assert targets(["a.png"], "{kernel}.png", kernels=(word,)) == [f"{label}.png"]


@pytest.mark.usefixtures("desk")
def test_one_result_for_each_input_has_no_kernel_in_its_name() -> None:
    assert targets(["a.png"], "out", kernels=("blur",)) == ["out/a.png"]
    assert targets(["a.png"], "out") == ["out/a.png"]


# Standard input and output


@pytest.mark.usefixtures("desk")
def test_standard_input_is_called_stdin() -> None:
    assert targets(["-"], "out", format_="png") == ["out/stdin.png"]
    assert targets(["-"], "{stem}.jpg") == ["stdin.jpg"]
    assert targets(["-"], "{parent}/new/{stem}.jpg") == ["new/stdin.jpg"]
    assert targets(["-"], "out", stdin_suffix=".txt") == ["out/stdin.txt"]
    assert targets(["-"], "new.png") == ["new.png"]


@pytest.mark.parametrize(
    ("source", "output", "request_", "format_name"),
    [
        ("a.png", "-", {"format_": "jpg"}, "-.jpg"),
        ("a.png", "-", {}, "-.png"),
        ("-", "-", {"format_": "png"}, "-.png"),
        ("m.txt", "-", {}, "-.txt"),
        ("m.txt", None, {}, "-.txt"),
        ("m.csv", None, {}, "-.txt"),
        ("m.csv", "-", {}, "-.csv"),
        ("m.txt", None, {"format_": "csv"}, "-.csv"),
        ("-", None, {"stdin_suffix": ".txt"}, "-.txt"),
    ],
)
@pytest.mark.usefixtures("desk")
def test_what_is_printed_has_a_format_and_no_file(
    source: str, output: str | None, request_: dict[str, str], format_name: str
) -> None:
    jobs = plan_outputs([source], OutputRequest(output, **request_))  # type: ignore[arg-type]  # a table's columns
    assert jobs == [Job(source, 0, None, format_name)]


@pytest.mark.usefixtures("desk")
def test_several_matrices_are_printed_one_after_the_other() -> None:
    assert targets(["m.txt", "n.txt"], None, kernels=("blur", "edge")) == [None] * 4


@pytest.mark.usefixtures("desk")
def test_a_format_names_the_suffix_in_folders_and_templates() -> None:
    assert targets(["a.png", "noext"], "out", format_="jpg") == ["out/a.jpg", "out/noext.jpg"]
    assert targets(["a.png"], "{stem}-small{ext}", format_="webp") == ["a-small.webp"]


# Refusals


@pytest.mark.parametrize(
    ("sources", "output", "request_", "words"),
    [
        pytest.param(["a.png"], "new.xyz", {}, ["unknown suffix '.xyz'", ".png"], id="unknown-suffix"),
        pytest.param(["a.png"], "new.pgn", {}, ["nearest: ", ".png"], id="misspelt-suffix"),
        pytest.param(["a.png"], "new", {}, ["no suffix"], id="no-suffix"),
        pytest.param(["noext"], "out", {}, ["out/noext", "no suffix"], id="an-input-without-suffix-into-a-folder"),
        pytest.param(["a.heic"], "out", {}, ["unknown suffix '.heic'"], id="an-input-of-a-format-not-written"),
        pytest.param(["-"], "out", {}, ["out/stdin", "no suffix"], id="stdin-into-a-folder-without-format"),
        pytest.param(["a.png"], "out", {"format_": "xyz"}, ["unknown suffix '.xyz'"], id="unknown-format"),
        pytest.param(["a.png"], "-", {"format_": "xyz"}, ["unknown suffix '.xyz'"], id="unknown-format-printed"),
        pytest.param(["a.png"], "new/x.png", {}, ["new/x.png", "no such folder: new"], id="missing-folder"),
        pytest.param(["../a.png"], "out/{parent}/x.png", {}, ["leads out of the folder"], id="parent-leads-out"),
        pytest.param(["a.png"], "m.txt/{stem}.png", {}, ["m.txt", "not a folder"], id="a-file-as-folder-of-a-template"),
        pytest.param(["a.png"], "m.txt/", {}, ["m.txt", "not a folder"], id="a-file-as-folder"),
        pytest.param(["a.png"], "out/{foo}.png", {}, ["unknown field {foo}", "{stem}"], id="unknown-field"),
        pytest.param(["a.png"], "{}.png", {}, ["unknown field {}", "{index}"], id="empty-field"),
        pytest.param(["a.png", "b.jpg"], "x.png", {}, ["a.png", "b.jpg", "folder"], id="two-inputs-on-one-file"),
        pytest.param(["a.png", "sub/a.png"], "out", {}, ["sub/a.png", "{index}"], id="two-inputs-of-one-name"),
        pytest.param(["a.png", "b.jpg"], "{kernel}.png", {"kernels": ("blur",)}, ["blur.png"], id="template-too-poor"),
        pytest.param(["a.png", "a.png"], "out", {}, ["out/a.png"], id="one-input-twice"),
        pytest.param(["a.png"], "x.png", {"kernels": ("blur", "edge")}, ["two kernels", "{kernel}"], id="two-kernels"),
        pytest.param(["a.png"], "out", {"kernels": ("box:3", "box_3")}, ["a-box_3.png"], id="kernels-of-one-name"),
        pytest.param(["a.png", "b.jpg"], "-", {"format_": "png"}, ["2 results", "standard output"], id="two-printed"),
        pytest.param(["a.png"], "-", {"kernels": ("blur", "edge")}, ["2 results"], id="two-kernels-printed"),
        pytest.param(["-", "-"], "out", {"format_": "png"}, ["standard input", "once"], id="stdin-twice"),
        pytest.param(["a.png"], None, {}, ["a.png", "needs an output", "-o"], id="a-picture-without-output"),
        pytest.param(["m.txt", "a.png"], None, {}, ["a.png", "needs an output"], id="one-picture-without-output"),
        pytest.param(["-"], None, {}, ["standard input", "needs an output"], id="stdin-without-output"),
        pytest.param(["-"], None, {"in_place": True}, ["needs an output"], id="stdin-in-place"),
        pytest.param(["-"], "-", {}, ["--format png"], id="stdin-to-stdout-without-format"),
        pytest.param(["noext"], "-", {}, ["--format"], id="no-suffix-to-stdout-without-format"),
        pytest.param(["full"], "out", {"format_": "png"}, ["out/full.png", "is a folder"], id="a-folder-is-no-file"),
        pytest.param(["a.png"], None, {"format_": "png"}, ["needs an output"], id="a-format-is-no-output"),
        pytest.param(["-"], None, {"format_": "png"}, ["needs an output"], id="a-format-is-no-output-for-stdin"),
    ],
)
@pytest.mark.usefixtures("desk")
def test_an_output_that_cannot_be_is_refused_before_any_work(
    sources: list[str], output: str | None, request_: dict[str, object], words: list[str]
) -> None:
    message = refusal(sources, output, **request_)
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("source", "output"),
    [
        pytest.param("a.png", "a.png", id="by-name"),
        pytest.param("a.png", "./a.png", id="by-another-spelling"),
        pytest.param("a.png", "sub/../a.png", id="through-a-folder"),
        pytest.param("missing.png", "sub/../missing.png", id="through-a-folder-and-not-there"),
        pytest.param("a.png", ".", id="its-own-folder"),
        pytest.param("a.png", "{name}", id="by-a-template"),
        pytest.param("a.png", "symbolic.png", id="through-a-symbolic-link"),
        pytest.param("symbolic.png", "a.png", id="of-a-symbolic-link"),
        pytest.param("a.png", "hard.png", id="through-a-hard-link"),
        pytest.param("hard.png", "a.png", id="of-a-hard-link"),
        pytest.param("sub/a.png", "shortcut/a.png", id="through-a-linked-folder"),
        pytest.param("sub/a.png", "shortcut", id="into-a-linked-folder"),
    ],
)
def test_an_output_that_is_an_input_is_refused_unless_in_place(desk: Path, source: str, output: str) -> None:
    (desk / "symbolic.png").symlink_to("a.png")
    (desk / "hard.png").hardlink_to("a.png")
    (desk / "shortcut").symlink_to("sub", target_is_directory=True)
    message = refusal([source], output)
    assert source in message
    assert "--in-place" in message
    assert targets([source], output, in_place=True) != [None]


@pytest.mark.parametrize("output", ["m.txt", "./m.txt", "symbolic.txt", "hard.txt", "{kernel}.txt"])
@pytest.mark.parametrize("in_place", [False, True], ids=["", "in-place"])
def test_an_output_that_is_a_kernel_is_refused_even_in_place(desk: Path, output: str, in_place: bool) -> None:
    (desk / "symbolic.txt").symlink_to("m.txt")
    (desk / "hard.txt").hardlink_to("m.txt")
    request = {"kernels": ("m",), "in_place": in_place}
    assert "kernel" in refusal(["other.txt"], output, read_files=(Path("m.txt"),), **request)
    assert targets(["other.txt"], output, read_files=(Path("another.txt"),), **request) != [None]


@pytest.mark.usefixtures("desk")
def test_in_place_without_an_output_replaces_each_input() -> None:
    assert targets(["a.png", "b.jpg", "m.txt"], None, in_place=True) == ["a.png", "b.jpg", "m.txt"]


@pytest.mark.usefixtures("desk")
def test_in_place_is_no_leave_to_overwrite_another_input() -> None:
    message = refusal(["b.jpg", "a.png"], "a.png", in_place=True)
    assert "a.png" in message
    assert "a.png: the output is the input a.png" in refusal(["sub/a.png", "a.png"], "{name}", in_place=True)


@pytest.mark.usefixtures("desk")
def test_an_output_that_is_another_input_is_refused() -> None:
    assert "sub/a.png" in refusal(["a.png", "sub/a.png"], "sub/{name}")


# Files
