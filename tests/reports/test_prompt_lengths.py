"""Histograms of prompts as they come out of other programs, and what is none."""

import os

import pytest

import yarncore as yc
from yarncore.reports.prompt_lengths import read, typed


@pytest.mark.parametrize(
    "raw",
    [
        b"length,count\n100,5\n300000,7\n",
        b"# of a log\n\nprompt tokens;prompts\r\n100;5\r\n300000;7\r\n",
        b"\xef\xbb\xbf100 5\n300000 7\n",
        b'\xef\xbb\xbf{"100": 5, "300000": 7}',
        b"100 , 5\n300000\t7",
        b"100\r" * 5 + b"300000\r" * 7,
    ],
)
def test_what_spreadsheets_write_is_read(raw, tmp_path):
    (tmp_path / "lengths").write_bytes(raw)
    assert read(str(tmp_path / "lengths")).counts == ((100, 5), (300000, 7))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"length,count\n", "no prompt"),
        (b"length\ncount\n100 5\n", "line 2 is 'count'"),  # one line of names
        (b"100 5\nlength count\n", "line 2 is 'length count'"),
        (b"100," + b"9" * 5000, "line 1 is '100,999"),
        ("١٠٠ 5".encode(), "line 1 is"),
        (b'{"100": 5, "100": 7}', "the length '100' appears twice"),  # the latter had been taken
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_histogram_is_named(raw, words, tmp_path):
    (tmp_path / "lengths").write_bytes(raw)
    with pytest.raises(yc.ConfigError, match=words):
        read(str(tmp_path / "lengths"))


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(yc.ConfigError, match="not a regular file; a pipe is read as -"):
        typed([str(tmp_path / "pipe")])


@pytest.mark.parametrize("word", ["128k", "1e6", "-5", "100:", ""])
def test_a_word_that_is_neither_a_length_nor_a_file_is_named(word, tmp_path):
    with pytest.raises((yc.ConfigError, IsADirectoryError), match=r"neither LENGTH:COUNT|not a regular file"):
        typed([word])
