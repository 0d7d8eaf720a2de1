from pathlib import Path

from toolweft.cli.demo.tokens import choose_counter, find_encoding_file


def test_without_the_encodings_file_bytes_are_counted_and_said_so(tmp_path: Path) -> None:
    counter = choose_counter({"TIKTOKEN_CACHE_DIR": str(tmp_path)})

    assert counter.count("12345678é") == 3
    assert "bytes / 4" in counter.name


def test_a_damaged_file_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790").write_bytes(b"broken")

    assert find_encoding_file({"TIKTOKEN_CACHE_DIR": str(tmp_path)}) is None


def test_an_empty_folder_name_means_no_cache() -> None:
    assert find_encoding_file({"TIKTOKEN_CACHE_DIR": ""}) is None
