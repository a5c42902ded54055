"""Each mistake is flagged, and its correction is clean."""

import json
import shlex

import pytest
from golden_files import records
from mistakes import MISTAKES, deepseek, llama, qwen3

import yarncore as yc
from yarncore.__main__ import main
from yarncore.configs.engines import llama_cpp
from yarncore.configs.engines.examined import ENGINES
from yarncore.configs.engines.reading import read_as
from yarncore.reports.diagnosis import diagnose


def run(mistake, what):
    return diagnose(what, [mistake.engine] if mistake.engine else [], mistake.config)


def findings(diagnosis):
    return [words for row in diagnosis.rows if row.decides for words in row.findings]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_found_and_its_correction_is_clean(mistake):
    import re

    found = findings(run(mistake, mistake.wrong))
    assert any(re.search(mistake.words, words) for words in found), found
    assert findings(run(mistake, mistake.right)) == []


BY_WORDS = [one for one in MISTAKES if one.engine in ("vllm", "sglang", "mlx-lm", "genai")]


@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
@pytest.mark.parametrize("mistake", BY_WORDS, ids=lambda mistake: mistake.name)
def test_what_to_write_is_told_and_is_right_or_why_there_is_nothing(mistake):
    """What is told is applied to the wrong file and read as the engine reads it: it computes what the file means."""
    row = run(mistake, mistake.wrong).rows[-1]
    meant = yc.ropes_from_config(mistake.wrong, strict=False)
    if row.remedy.startswith("nothing that it reads: "):
        assert "cannot express" in row.remedy or "was not run" in row.remedy
        return
    if mistake.engine in ("vllm", "sglang"):
        start = {"vllm": ["vllm", "serve", "m"], "sglang": ["python", "-m", "sglang.launch_server"]}[mistake.engine]
        found = yc.ropes_from_config([*start, *shlex.split(row.remedy)], config=mistake.wrong)
    else:
        written, _, gone = row.remedy.partition(" in the place of ")
        kept = {key: value for key, value in mistake.wrong.items() if key not in gone.split(", ")}
        found = yc.ropes_from_config(kept | json.loads(written), format=mistake.engine)
    length = meant.advertised_length
    ours, theirs = (one["full_attention"].at(length) for one in (meant, found))
    assert theirs.inverse_frequencies == pytest.approx(ours.inverse_frequencies, rel=1e-9)
    assert (theirs.attention_factor, theirs.softmax_scale_factor) == (ours.attention_factor, ours.softmax_scale_factor)


def test_the_remedy_is_printed_and_only_where_it_was_asked_for(tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(llama({"rope_type": "linear", "factor": 4}, 4096)))
    assert main(["doctor", str(path), "--engine", "vllm"]) == 1
    assert "  to write: --max-model-len 4096 --hf-overrides '{" in capsys.readouterr().out
    assert all(not row.remedy for row in diagnose(str(path), []).rows)


def test_no_length_is_promised_that_the_scaling_does_not_reach():
    scaled = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 8192}  # fmt: skip
    row = diagnose(llama(scaled), ["vllm"], length=262144).rows[-1]
    assert row.remedy.startswith("nothing for 262144 tokens: what the file says reaches 131072; yarncore plan")


def test_there_are_enough_of_them_and_no_two_are_the_same():
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 50


class TestCommand:
    def file(self, tmp_path, config):
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        return str(path)

    def test_exit_status(self, tmp_path, capsys):
        good = qwen3(
            {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768, "attention_factor": 1.0}
        )
        path = self.file(tmp_path, good)
        assert main(["doctor", path]) == 0
        assert "sglang" in capsys.readouterr().out
        assert main(["doctor", path, "--engine", "sglang"]) == 1
        assert "attention_factor 1.13863 in place of 1" in capsys.readouterr().out
        assert main(["doctor", str(tmp_path / "absent.json")]) == 2
        assert main(["doctor", path, "--engine", "unknown"]) == 2
        assert main(["doctor", path, "--engine", "transformers"]) == 0

    def test_each_key_has_its_fate(self, tmp_path, capsys):
        path = self.file(tmp_path, deepseek(attention_factor=1.2))
        main(["doctor", path, "--engine", "vllm@0.33", "--json"])
        told = json.loads(capsys.readouterr().out)
        assert told["schema"] == "yarncore/doctor/1"
        row = {row["engine"]: row for row in told["rows"]}["vllm"]
        assert row["verified"]
        assert row["keys"]["rope_scaling.factor"] == "used"
        assert row["keys"]["rope_scaling.attention_factor"] == "ignored: the factor is 1"
        assert row["softmax_factor"]["full_attention"] == pytest.approx(1.8738542)

    def test_another_version_is_unverified(self, tmp_path, capsys):
        path = self.file(tmp_path, qwen3())
        assert main(["doctor", path, "--engine", "vllm@0.99"]) == 0
        assert "unverified" in capsys.readouterr().out

    def test_a_command_line_and_its_model(self, tmp_path, capsys):
        path = self.file(tmp_path, qwen3(None, 40960))
        assert main(["doctor", f"vllm serve {tmp_path} --max-model-len 131072"]) == 1
        assert "refuses to serve 131072" in capsys.readouterr().out
        assert main(["doctor", "vllm serve m --max-model-len 4096", "--config", path]) == 0
        assert main(["doctor", "vllm serve m --max-model-len 4096", "--config", path, "--engine", "vllm"]) == 2

    def test_a_length_that_an_engine_does_not_serve(self, tmp_path):
        path = self.file(tmp_path, qwen3(None, 40960))
        assert main(["doctor", path, "--engine", "vllm", "--length", "131072"]) == 1
        assert main(["doctor", path, "--engine", "vllm", "--length", "40960"]) == 0


SHAPE = {"head_dim": 64, "hidden_size": 256, "num_attention_heads": 4}
CONVERTED = [r for r in records("engines_executed") if r["engine"] == "ggml-org/llama.cpp converter"]


@pytest.mark.parametrize("record", CONVERTED, ids=lambda r: r["name"])
@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
def test_llama_cpp_with_a_converted_file_computes_what_is_said_of_it(record):
    """The keys that the converter wrote, read as llama.cpp reads them, beside what is said of the configuration."""
    config = SHAPE | record["input"]["config_json"]
    architecture = next(key.partition(".")[0] for key in record["gguf"] if key.endswith("context_length"))
    shape = {"general.architecture": architecture, f"{architecture}.attention.key_length": 64}
    own = {key: value for key, value in record["gguf"].items() if "rope" in key or "context" in key}
    written = yc.from_config(shape | own | record.get("rope_tensors", {}))
    found = read_as(llama_cpp, config, "config", False).ropes
    said = found.get("full_attention")
    length = 131072 if isinstance(written.scaling, yc.LongRoPE) else None
    ours, theirs = said.at(length), written.at(length)
    assert ours.inverse_frequencies == pytest.approx(theirs.inverse_frequencies, rel=3e-7)
    assert ours.attention_factor == pytest.approx(theirs.attention_factor, rel=1e-6)
    assert ours.softmax_scale_factor == pytest.approx(theirs.softmax_scale_factor, rel=1e-6)


def test_every_engine_says_what_was_run():
    for engine in ENGINES:
        assert engine.EVIDENCE.kind == "run"
        assert engine.VERSION.lstrip("b")[0].isdigit()
