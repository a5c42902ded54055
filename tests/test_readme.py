"""The README's commands are what they are said to be; its code runs in test_docs.py."""

import re
import subprocess
import sys

import mpmath
import numpy as np
import pytest
from documents import README, ROOT, examples
from golden_files import records

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


# Frequencies of 128 dimensions as transformers made them, and the first position whose cos is off by more than 2^-9.
FIRST_BEYOND = {
    "llama2-7b default": (1e4, 34_158),
    "llama3-8b default": (5e5, 24_847),
    "mistral-7b-v0.3 default": (1e6, 30_274),
}


def errors_of_float32(name, positions):
    """Of cos, at float32 angles of transformers' own frequencies; the exact ones are mpmath's."""
    base = FIRST_BEYOND[name][0]
    theirs = next(np.float32(record["inv_freq"]) for record in records("hf") if record["name"] == name)
    with mpmath.workprec(100):
        exact = np.array([float(mpmath.mpf(base) ** (-mpmath.mpf(i) / 64)) for i in range(64)])
    angles = np.float32(positions)[:, None] * theirs
    # Doubles are enough for the rest: at these positions their angle is right to 1e-11, the error that is looked for is 2e-3.
    return np.abs(np.cos(angles.astype(np.float64)) - np.cos(np.float64(positions)[:, None] * exact)).max(axis=1)


@pytest.mark.parametrize("name", FIRST_BEYOND)
def test_the_length_below_which_float32_angles_do_not_matter_is_measured(name):
    first = FIRST_BEYOND[name][1]
    errors = errors_of_float32(name, np.arange(first + 1))
    assert np.flatnonzero(errors > 2.0**-9).tolist() == [first]
    assert f"{first:,}" in (ROOT / "docs" / "why.md").read_text()


def test_the_figures_about_float32_angles_are_those_that_were_measured():
    (tokens,) = re.findall(r"below about ([\d,]+) tokens that error is\s+under\s+2\^-9", README.read_text())
    first = min(first for _, first in FIRST_BEYOND.values())
    assert first - 1000 <= int(tokens.replace(",", "")) <= first
    assert f"Below about {tokens} tokens" in (ROOT / "docs" / "why.md").read_text()
    (said,) = re.findall(r"off by (\S+) in cos at position 2\^20 - 1;", README.read_text())
    assert f"{errors_of_float32('llama2-7b default', np.array([2**20 - 1]))[0]:.1e}" == f"{float(said):.1e}"
