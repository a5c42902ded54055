"""yarncore show: what it prints, for people and for machines, and how it fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from yarncore.__main__ import main
from yarncore.reports.description import describe

CONFIGS = Path(__file__).parents[2] / "examples" / "configs"
QWEN = str(CONFIGS / "qwen2.5-7b-128k.json")
pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")


def test_table(capsys):
    assert main(["show", QWEN]) == 0
    output, errors = capsys.readouterr()
    for text in (
        "qwen2.5-7b-128k.json (qwen2)",
        "YaRN",
        "131,072 tokens",
        "1.138629436",
        "kept",
        "blended",
        "interpolated",
        "0.250000",
        "ns a token",
    ):
        assert text in output
    assert "warning:" in errors


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.json")), ids=lambda p: p.stem)
def test_json_of_every_example(file, capsys):
    assert main(["show", str(file), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["pairs"]) == result["rotary_dim"] // 2
    # two products and a sum in float32 with cos and sin of 0.51 ulp
    assert result["check"]["error"] <= 4 * 2.0**-24
    assert result["check"]["usual_error"] > 100 * result["check"]["error"]


def test_regimes():
    rows = describe(QWEN).pairs
    assert rows[0].regime == "kept"
    assert rows[-1].regime == "interpolated"
    assert rows[0].wavelength == pytest.approx(6.283185307)
    assert [row.regime for row in rows].count("blended") == 16
    plain = describe(str(CONFIGS / "yi-6b-200k.json"))
    assert {row.regime for row in plain.pairs} == {"kept"}
    deepseek = describe(str(CONFIGS / "deepseek-v3.json"))
    assert (deepseek.query_dim, deepseek.key_heads) == (192, 1)


def test_failures_are_one_line_and_exit_2(capsys, tmp_path):
    bad = tmp_path / "config.json"
    bad.write_text(
        '{"model_type": "llama", "head_dim": 64, "rope_theta": 1e4, "max_position_embeddings": 64, "rope_scaling": {"rope_type": "yarn", "factor": "4x"}}'
    )
    for arguments in (["show", str(bad)], ["show", str(tmp_path / "missing")], ["show", QWEN, "--length", "0"]):
        if "--length" in arguments:
            arguments[1] = str(CONFIGS / "llama-3.1-8b.json")
        assert main(arguments) == 2
        output, errors = capsys.readouterr()
        assert output == ""
        assert errors.strip().splitlines()[-1].startswith("yarncore: ")
    with pytest.raises(SystemExit) as caught:
        main(["nothing"])
    assert caught.value.code == 2
    with pytest.raises(ValueError, match="4x"):
        main(["show", str(bad), "--debug"])


def test_module_and_closed_pipe():
    shown = subprocess.run([sys.executable, "-m", "yarncore", "show", QWEN], capture_output=True, text=True, check=True)
    assert "attention factor" in shown.stdout
    assert "\x1b[" not in shown.stdout
    piped = subprocess.run(
        f"{sys.executable} -m yarncore show {QWEN} | head -1", shell=True, capture_output=True, text=True
    )
    assert "Traceback" not in piped.stderr
    version = subprocess.run(
        [sys.executable, "-m", "yarncore", "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout.startswith("yarncore ")


@pytest.mark.parametrize("heads", [10**6, 10**9])
def test_heads_that_no_memory_holds_are_refused(heads, capsys, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps({"head_dim": 256, "num_attention_heads": heads, "rope_theta": 1e4, "max_position_embeddings": 4096})
    )
    assert main(["show", str(path)]) == 2
    assert f"q and k have {heads} and {heads} heads of 256 elements" in capsys.readouterr().err


def test_many_heads_are_timed_over_fewer_tokens(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("yarncore.reports.check._MOST_TIMED", 2**20)
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps({"head_dim": 64, "num_attention_heads": 64, "rope_theta": 1e4, "max_position_embeddings": 4096})
    )
    assert main(["show", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["check"]["tokens"] == 2**20 // (4 * 64 * 64)
