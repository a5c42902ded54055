"""Context parallel, tensor parallel, fully sharded and compiled: the logits and gradients of one process."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.whole
def test_two_layers_on_four_processes(tmp_path):
    script = Path(__file__).with_name("distributed_models.py")
    run = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "meeting")], capture_output=True, text=True, timeout=280
    )
    assert run.returncode == 0, run.stderr[-4000:]
    for check in ("check_context_parallel", "check_tensor_parallel", "check_fully_sharded", "check_compiled"):
        assert run.stdout.count(f"{check}: well") == 4
