"""Requirements files of environments: what names a wheel passes, what would be built does not."""

import codecs
from pathlib import Path

import pytest

from toolweft.core.errors import SandboxUnavailable
from toolweft.sandbox.environment_requirements import load_requirements


def write(folder: Path, text: str | bytes, name: str = "requirements.txt") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


INDEX = "https://user:${WORD}@host/packages"


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "numpy==2.1",
        "numpy >= 1.0, < 3.0.*",
        "numpy[all,x-y]~=2.1 ; python_version > '3'",
        "numpy==2.1 --hash=sha256:0a1b --hash=sha256:ff",
        "ruamel.yaml (>=0.1)",
        "/somewhere/tiny-1.0-py3-none-any.whl",
        "./tiny-1.0-py3-none-any.whl[extra]",
        "tiny @ https://host/tiny-1.0-py3-none-any.whl#sha256=0a1b",
        "https://host/tiny-1.0-py3-none-any.whl ; python_version > '3'",
        "file:///somewhere/tiny-1.0-py3-none-any.whl",
        "--no-index",
        "--only-binary :all:",
        f"--extra-index-url {INDEX}",
    ],
)
def test_a_line_that_names_a_wheel_stays_as_it_is(tmp_path: Path, line: str) -> None:
    assert load_requirements(write(tmp_path, f"{line}  # why\n")).lines == [line]


@pytest.mark.parametrize(
    "line",
    [
        ".",
        "./path",
        "path/",
        "/abs/path",
        "../path ; python_version > '3'",
        "./path; python_version > '3.whl'",
        "~/path",
        "-e ./path",
        "-e.",
        "--editable=./path",
        "--edit ./path",
        "--no-binary :all:",
        "--no-binary=numpy",
        "--only-binary :none:",
        "--only-binary=numpy",
        "--use-feature x",
        "--config-settings a=b",
        "--src ./path",
        "numpy --no-binary numpy",
        "numpy --global-option=x",
        "numpy --config-settings=a=b",
        "numpy -e ./path",
        "./tiny.whl -e ./path",
        "tiny @ file:///path",
        "tiny @ file:///path#tiny.whl",
        "tiny @ file:///path?tiny.whl",
        "tiny @ ./path",
        "tiny @ git+https://host/tiny.git",
        "git+https://host/tiny.whl",
        "git+file:///path@tiny.whl",
        "https://host/tiny-1.0.tar.gz",
        "https://host/tiny-1.0.zip",
        "tiny-1.0.tar.gz",
        "tiny-1.0.zip[extra]",
        "tiny==1.0.tar.gz",
        "${PLACE}",
        "numpy \\\n  --no-binary \\\n  numpy",
        "-r https://host/requirements.txt",
        f"-i {INDEX} -e ./path",
        "--index-url",
        "--find-links 'unclosed",
    ],
)
def test_a_line_that_would_have_something_built_is_refused_with_its_place(
    tmp_path: Path, line: str
) -> None:
    file = write(tmp_path, f"# first\nnumpy\n{line}\n")
    with pytest.raises(SandboxUnavailable, match=r"requirements\.txt:3: ") as refused:
        load_requirements(file)
    assert "wheels only" in (refused.value.hint or "")


def test_a_folder_named_like_a_wheel_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "tiny-1.0-py3-none-any.whl"
    folder.mkdir()
    for line in (str(folder), folder.as_uri(), f"tiny @ {folder.as_uri()}"):
        with pytest.raises(SandboxUnavailable, match="no wheel"):
            load_requirements(write(tmp_path, line))


def test_lists_that_a_list_names_are_checked_too(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write(tmp_path, "-f wheels\nupper\n", "more.txt")
    write(tmp_path, "lower<3\n--pre", "least.txt")
    found = load_requirements(write(tmp_path, "-r more.txt\n--constraint=least.txt\n"))
    assert found.lines == [f"--find-links {tmp_path / 'wheels'}", "upper", "--pre"]
    assert found.constraints == ["lower<3"]
    for option in ("-r", "-c"):
        write(tmp_path, "\n\n-e ./path\n", "more.txt")
        with pytest.raises(SandboxUnavailable, match=r"more\.txt:3: "):
            load_requirements(write(tmp_path, f"{option} more.txt"))


def test_a_value_may_follow_its_option_without_anything_between(tmp_path: Path) -> None:
    write(tmp_path, "upper\n", "more.txt")
    write(tmp_path, "lower<3\n", "least.txt")
    asked = f"-rmore.txt\n-cleast.txt\n-f.\n-i{INDEX}\n"
    found = load_requirements(write(tmp_path, asked))
    assert found.lines == [
        "upper",
        f"--find-links {tmp_path}",
        f"--index-url {INDEX}",
    ]
    assert found.constraints == ["lower<3"]


@pytest.mark.parametrize("line", ["-r r.txt", "-rr.txt", "-c ./r.txt", "--requirement=link.txt"])
def test_a_list_that_names_itself_is_refused_with_the_line_that_does(
    tmp_path: Path, line: str
) -> None:
    (tmp_path / "link.txt").symlink_to("r.txt")
    file = write(tmp_path, f"upper\n{line}\n", "r.txt")
    with pytest.raises(SandboxUnavailable, match=r"r\.txt:2: .*txt names itself ") as refused:
        load_requirements(file)
    assert refused.value.hint == "take this line away: what it names is read already"


def test_a_list_that_names_itself_through_others_is_refused_with_them(tmp_path: Path) -> None:
    write(tmp_path, "-c b.txt\n", "a.txt")
    write(tmp_path, "\n-r r.txt\n", "b.txt")
    through = r"b\.txt:2: '-r r\.txt': r\.txt names itself through a\.txt, b\.txt "
    with pytest.raises(SandboxUnavailable, match=through):
        load_requirements(write(tmp_path, "-r a.txt\n", "r.txt"))


def test_a_list_may_be_named_twice_but_only_so_many_are_read(tmp_path: Path) -> None:
    write(tmp_path, "upper\n", "more.txt")
    found = load_requirements(write(tmp_path, "-r more.txt\n-r more.txt\n"))
    assert found.lines == ["upper", "upper"]
    many = write(tmp_path, "-r more.txt\n" * 50)
    with pytest.raises(SandboxUnavailable, match=r"txt:50: .*one of more than 50") as refused:
        load_requirements(many)
    assert "fewer files" in (refused.value.hint or "")


def test_a_line_with_a_zero_byte_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match=r"requirements\.txt:1: .*zero byte"):
        load_requirements(write(tmp_path, "-r a\0b\n"))


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + b"numpy\n",
        codecs.BOM_UTF16_LE + "numpy\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "numpy\n".encode("utf-16-be"),
        b"# -*- coding: latin-1 -*-\r\nnumpy\r\n",
    ],
)
def test_a_mark_of_the_encoding_is_followed(tmp_path: Path, data: bytes) -> None:
    assert load_requirements(write(tmp_path, data)).lines == ["numpy"]


def test_a_file_that_is_no_text_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match=r"requirements\.txt:2: byte 8 .*UTF-8") as refused:
        load_requirements(write(tmp_path, b"numpy\n# \xe4\n"))
    assert "save" in (refused.value.hint or "")
