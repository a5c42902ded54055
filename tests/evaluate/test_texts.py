"""Texts that a user names."""

import pytest

from yarncore.evaluate.texts import read_texts


def test_a_folder_is_its_texts_without_what_is_hidden_or_compiled(tmp_path):
    for name, content in {
        "b.txt": b"two", "deep/a.py": b"one", ".git/config": b"\xff", "deep/__pycache__/a.pyc": b"\0\xff", "empty.txt": b" \n",
    }.items():  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert read_texts(tmp_path) == {"b.txt": "two", "deep/a.py": "one"}
    assert read_texts(tmp_path / "b.txt") == {"b.txt": "two"}


@pytest.mark.parametrize(("content", "says"), [(b"\xff\xfe", "UTF-8"), (b"a\0b", "zero byte"), (b"  ", "no text")])
def test_what_is_no_text_is_told(content, says, tmp_path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=says):
        read_texts(tmp_path)
