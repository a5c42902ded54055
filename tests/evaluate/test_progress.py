"""The time left follows from what this run did, not from what an earlier one did."""

import io

import pytest

from yarncore.evaluate.progress import Progress, spoken


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_time_left_counts_what_took_time():
    now = [0.0]
    progress = Progress(1000, io.StringIO(), lambda: now[0])
    progress.skip(600)
    assert progress.time_left is None
    now[0] = 30.0
    progress.advance(100, "yarn:4: needles")
    assert progress.time_left == pytest.approx(90)
    assert progress.line("yarn:4: needles") == " 70% 30 s, about 1 min 30 s left  yarn:4: needles"


def test_a_terminal_has_one_line_and_a_file_one_now_and_then():
    now = [0.0]
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        progress = Progress(100, stream, lambda: now[0])
        for _ in range(100):
            now[0] += 1.0
            progress.advance(1, "needles")
        progress.close()
    assert terminal.getvalue().count("\r") == 100
    assert terminal.getvalue().count("\n") == 1
    assert file.getvalue().count("\n") == 5  # at once, each 30 seconds, and at the end
    assert file.getvalue().splitlines()[-1].startswith("100%")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (3599, "59 min 59 s"), (7260, "2 h 01 min")]
)
def test_seconds_are_said_as_a_person_says_them(seconds, said):
    assert spoken(seconds) == said
