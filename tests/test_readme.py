"""The README's examples run as they stand, and its commands are what they are said to be."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
FRAMEWORKS = ["numpy", "torch", "torch module", "jax", "dask", "mlx", "array_api_strict"]


def test_there_are_examples():
    assert len(EXAMPLES) == len(FRAMEWORKS)


@pytest.mark.parametrize("code", EXAMPLES, ids=FRAMEWORKS)
def test_example(code, monkeypatch):
    monkeypatch.chdir(ROOT)
    names = {}
    exec(code, names)
    assert names["q2"].shape == names["q"].shape
    assert names["k2"].shape == names["k"].shape


def test_the_table_of_frequencies_is_what_show_prints():
    from yarncore.reports.description import describe

    with pytest.warns(UserWarning, match="max_position_embeddings"):
        rows = describe(ROOT / "examples" / "configs" / "qwen2.5-7b-128k.json").pairs
    found = re.findall(r"^\| (\d+) \| ([\d.,]+) \| ([\d.,]+) \| (\w+) \| ([\d.]+) \|$", README, re.MULTILINE)
    assert len(found) == 7
    for pair, wavelength, turns, regime, multiplier in found:
        row = rows[int(pair)]
        assert float(wavelength.replace(",", "")) == pytest.approx(row.wavelength, rel=1e-3)
        assert float(turns.replace(",", "")) == pytest.approx(row.turns, rel=1e-3)
        assert regime == row.regime
        assert float(multiplier) == pytest.approx(row.multiplier, abs=1e-6)


def test_every_benchmark_runs_one_round():
    output = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "benchmarks", "--benchmark-disable", "-p", "no:cacheprovider"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert output.returncode == 0, output.stdout
    assert re.search(r"\d+ passed", output.stdout)
