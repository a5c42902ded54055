"""The README's commands are what they are said to be; its code runs in test_docs.py."""

import re
import subprocess
import sys

from documents import README, ROOT, examples

import yarncore as yc


def test_it_begins_with_code_that_prints_a_result_and_the_figure():
    text = README.read_text()
    (_, printed), (numpy_example, _), _ = examples(README)
    assert printed is not None
    assert text.index("```output") < text.index("docs/figures/wavelengths.svg") < text.index("## Install")
    # The example of NumPy is the one that stands among the others.
    file = (ROOT / "examples" / "with_numpy.py").read_text()
    assert file.replace("\n\nimport yarncore", "\nimport yarncore").endswith("\n\n" + numpy_example)


def test_its_two_commands_start_from_a_fresh_clone():
    commands = re.findall(r"^python3 -m venv .*$", README.read_text(), re.MULTILINE)
    assert len(commands) == 2
    assert "yarncore show examples/configs/" in commands[0]
    assert commands[1].endswith(" && pytest")  # what .ci/run looks for


def test_every_scaling_has_its_place_in_the_table():
    (row,) = re.findall(r"^\| scalings \| plain, (.*) \|$", README.read_text(), re.MULTILINE)
    assert sorted(row.split(", ")) == sorted(yc.scaling.__all__)


def test_every_benchmark_runs_one_round():
    output = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "benchmarks", "-n", "0", "--benchmark-disable", "-p", "no:cacheprovider"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert output.returncode == 0, output.stdout
    assert re.search(r"\d+ passed", output.stdout)
