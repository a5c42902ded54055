"""The script for a machine that has a GPU, as far as it can be shown without one."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[2] / "benchmarks" / "gpu"
spec = importlib.util.spec_from_file_location("verdicts_on_a_gpu", FOLDER / "verdicts.py")
verdicts = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verdicts)


def row(**more):
    return {"shape": [1, 4096], "tokens": 4096, "type": "bfloat16", "backend": "native", "seconds": 1e-4,
            "bandwidth": 3e12, "share_of_scale": 0.95, "share_of_copy": 0.93, "interleaved": 1.01} | more  # fmt: skip


def test_the_worst_row_is_judged_and_what_has_no_row_is_unmeasured():
    found = {
        v["goal"]: v
        for v in verdicts.judge([row(), row(share_of_scale=0.9, type="float16"), row(tokens=16, share_of_copy=0.1)])
    }
    scale = found["in place, S >= 4096: share of a scale pass"]
    assert (scale["verdict"], scale["worst"], scale["where"]) == ("MISSED", 0.9, "native float16 [1, 4096]")
    assert found["out of place, S >= 4096: share of a copy"]["verdict"] == "reached"
    assert found["times of a fused Triton kernel with a table"]["verdict"] == "unmeasured"
    assert {v["verdict"] for v in verdicts.judge([])} == {"unmeasured"}


def test_the_table_shows_rows_verdicts_and_what_was_left_out():
    rows = [row(over_gather=1.1), row(triton=1.2)]
    report = {"machine": {"gpu": "some"}, "tests": {"tests": {"status": 0, "summary": "9 passed"}}, "rows": rows,
              "missing": [["native", [1, 8192], "float32"]], "verdicts": verdicts.judge(rows)}  # fmt: skip
    text = verdicts.text_of(report)
    assert "native bfloat16 (1, 4096)" in text
    assert "9 passed" in text
    assert "8192" in text
    assert "unmeasured" in text
    assert "100.0 us" in text


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_writes_no_figure(tmp_path):
    run = subprocess.run(
        [sys.executable, FOLDER / "run.py", "--no-build", "--no-tests", "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert "torch sees no GPU here: nothing can be measured" in run.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_all_of_it_can_be_imported_where_there_is_no_gpu():
    code = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import build, competitors, measure, run, verdicts"
    subprocess.run([sys.executable, "-c", code], check=True)
