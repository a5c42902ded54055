"""The table of commands: every file of the room is a row, its help has examples that run, exit statuses are shared."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_models import save_tiny

import yarncore.commands
from yarncore import __main__ as table

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in Path(yarncore.commands.__path__[0]).glob("*.py"))


def test_every_file_is_a_row():
    assert sorted(table.COMMANDS) == [name for name in NAMES if name not in ("__init__", "command")]


@pytest.mark.parametrize("name", table.COMMANDS)
def test_the_examples_of_its_help_run(name, capsys, tmp_path):
    """In a folder that looks like the checkout, with a small model where an example says MODEL_FOLDER."""
    for path in ROOT.iterdir():
        (tmp_path / path.name).symlink_to(path)
    with pytest.raises(SystemExit) as caught:
        table.main([name, "--help"])
    assert caught.value.code == 0
    examples = re.findall(r"^  (yarncore .*)$", capsys.readouterr().out, re.MULTILINE)
    assert examples
    if any("MODEL_FOLDER" in example for example in examples):
        save_tiny(tmp_path / "MODEL_FOLDER")
    for example in examples:
        line = example.replace("yarncore", f"{shlex.quote(sys.executable)} -m yarncore", 1)
        subprocess.run(line, shell=True, cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize(("raised", "status"), [(KeyboardInterrupt(), 130), (OSError("gone"), 2)])
def test_what_a_command_raises_is_an_exit_status(raised, status, monkeypatch, capsys):
    class Failing:
        SUMMARY = "fails"

        def add_arguments(self, parser):
            parser.add_argument("source")

        def run(self, options, console):
            raise raised

    monkeypatch.setitem(table.COMMANDS, "fail", Failing())
    assert table.main(["fail", "source"]) == status
    assert capsys.readouterr().err == ("yarncore: gone\n" if status == 2 else "")


def test_importing_the_table_loads_nothing_that_the_command_line_needs():
    code = "import sys, yarncore.__main__; print(sorted({'rich', 'mpmath'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout == "[]\n"
