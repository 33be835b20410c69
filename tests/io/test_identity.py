"""Whether two paths are one file, beside what the system says."""

import os
from pathlib import Path

import pytest

from cnnfilter.io.paths import identify


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with files, folders and links in it."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "a.png").write_text("a")
    (tmp_path / "link.png").symlink_to("deep/a.png")
    (tmp_path / "broken.png").symlink_to("nowhere.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "aside").symlink_to("deep/er")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize(
    "path",
    [
        "deep/a.png",
        "deep/none.png",
        "./deep/../deep/a.png",
        "link.png",
        "broken.png",
        "loop.png",
        "aside/b.png",
        "aside/../a.png",
        "aside/..",
        "aside",
        "deep/",
        ".",
        "..",
        "",
        "/",
        "/none",
        "none/none.png",
        "deep/a.png/below",
    ],
)
def test_paths_are_resolved_as_the_system_does(path: str) -> None:
    folders: dict[str, str] = {}
    for _ in range(2):
        assert identify(path, folders)[0] == os.path.realpath(path)
        assert identify(Path(path), folders)[0] == os.path.realpath(Path(path))


def test_names_of_one_file_share_an_identity_and_others_none(tree: Path) -> None:
    (tree / "hard.png").hardlink_to(tree / "deep" / "a.png")
    (tree / "b.png").write_text("a")
    own = set(identify("deep/a.png", {}))
    assert len(own) == 2
    for name in ("link.png", "hard.png", str(tree / "deep" / "a.png"), "aside/../a.png"):
        assert own & set(identify(name, {}))
    for name in ("b.png", "broken.png", "none.png", "loop.png"):
        assert not own & set(identify(name, {}))
