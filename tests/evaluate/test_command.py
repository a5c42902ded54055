"""yarncore evaluate: what it prints, writes and keeps, and every wrong call before a model runs."""

import json
import math
import xml.etree.ElementTree as ElementTree

import pytest
import torch
from PIL import Image
from tiny_models import save_tiny
from tokenizers_in_code import bytes_tokenizer
from transformers import AutoTokenizer, GPTJConfig, GPTJForCausalLM, LlamaForCausalLM

import yarncore as yc
from yarncore.__main__ import main
from yarncore.evaluate.perplexity import Document

ASKED = ["--lengths", "448", "640", "--depths", "0", "1", "--texts", "texts", "--stride", "64", "--windows", "2"]
SCALINGS = ["as-is", "plain", "yarn:2", "dynamic-yarn"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model and texts, and the report of an evaluation of it."""
    folder = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_tiny(folder / "model")
        (folder / "texts").mkdir()
        (folder / "texts" / "one.txt").write_text("".join(f"{n} is followed by {n + 1}. " for n in range(60)))
        (folder / "texts" / "short.txt").write_text("Too short.")
        assert main(["evaluate", "model", *ASKED, "--scaling", *SCALINGS, "--out", "out"]) == 0
    return folder


@pytest.fixture
def report(place):
    return json.loads((place / "out" / "report.json").read_text())


def run_of(report, scaling):
    return next(run for run in report["runs"] if run["scaling"] == scaling)


def test_the_report_says_what_was_asked_of_what(report):
    assert [run["scaling"] for run in report["runs"]] == SCALINGS
    assert [eval(run["ropes"][0], vars(yc).copy()) for run in report["runs"]] == [
        yc.Rope(16), yc.Rope(16), yc.Rope(16, scaling=yc.YaRN(2, 512)), yc.Rope(16, scaling=yc.DynamicYaRN(512)),
    ]  # fmt: skip
    assert len({run["rope_id"] for run in report["runs"]}) == 3  # as-is and plain are one Rope, in other hands:
    assert len({run["rotated_by"].split()[0] for run in report["runs"]}) == 2
    assert report["asked"]["lengths"] == [448, 640]
    assert report["asked"]["seed"] == 0
    assert report["identity"]["dtype"] == "float32"
    assert set(report["identity"]["versions"]) == {"yarncore", "lm_eval", "transformers", "torch", "tokenizers"}
    for run in report["runs"]:
        assert [(cell["length"], cell["depth"], cell["samples"]) for cell in run["needles"]["passkey"]["asked"]] == [
            (length, depth, 1) for length in (448, 640) for depth in (0.0, 1.0)
        ]
        assert (
            run["lm_eval"]["results"]["yarncore_passkey"]["asked,none"]
            == sum(cell["score"] for cell in run["needles"]["passkey"]["asked"]) / 4
        )


def test_perplexity_under_a_scaling_is_that_of_the_model_with_its_tables(place, report):
    """Against a forward of transformers' own module whose tables are replaced by hand, length by length."""

    class Tables(torch.nn.Module):
        def __init__(self, rope, length):
            super().__init__()
            self.rope, self.length = rope, length

        def forward(self, x, position_ids=None, **_):
            cos, sin = self.rope.cos_sin(position_ids, length=self.length)
            return torch.cat([cos, cos], -1).to(x.dtype), torch.cat([sin, sin], -1).to(x.dtype)

    model = LlamaForCausalLM.from_pretrained(place / "model").eval()
    document = Document.of(
        "", (place / "texts" / "one.txt").read_text(), AutoTokenizer.from_pretrained(place / "model")
    )
    for scaling in SCALINGS:
        run = run_of(report, scaling)
        rope = eval(run["ropes"][0], vars(yc).copy())
        for found in run["perplexity"]:
            model.model.rotary_emb = Tables(rope, found["length"])
            losses = []
            for end in (640, 704):
                window = document.tokens[None, end - found["length"] : end]
                with torch.no_grad():
                    chances = torch.log_softmax(model(window).logits[0].double(), -1)
                losses += [-float(chances[n - 1, window[0, n]]) for n in range(found["length"] - 64, found["length"])]
            assert found["targets"] == len(losses) == 128
            assert found["perplexity"] == pytest.approx(math.exp(sum(losses) / 128), rel=1e-4)


def test_up_to_the_original_length_dynamic_yarn_is_plain_to_the_last_bit(report):
    plain, dynamic = (run_of(report, name)["perplexity"] for name in ("plain", "dynamic-yarn"))
    assert plain[0] == dynamic[0]
    assert plain[1]["perplexity"] != dynamic[1]["perplexity"]


def test_pictures_are_svg_with_words_and_png(place, report):
    for name, word in (
        ("needles", "passkey, yarn:2"),
        ("perplexity", "dynamic-yarn"),
        ("positions", "position (tokens)"),
    ):
        text = " ".join(ElementTree.parse(place / "out" / f"{name}.svg").getroot().itertext())
        assert word in text
        with Image.open(place / "out" / f"{name}.png") as picture:
            assert min(picture.size) > 300


def test_json_is_the_report_and_nothing_else(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    capsys.readouterr()
    assert main(["evaluate", "model", *ASKED, "--scaling", *SCALINGS, "--out", "out", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "yarncore/evaluate/1"
    assert told["runs"] == json.loads((place / "out" / "report.json").read_text())["runs"]
    assert "out/report.json" in told["files"]


def test_a_run_that_is_repeated_asks_the_model_nothing(place, report, monkeypatch, capsys):
    monkeypatch.chdir(place)
    forward = LlamaForCausalLM.forward

    def of_one_token(self, *rows, **inputs):  # whether the model has the last position at all
        return forward(self, *rows, **inputs) if inputs["input_ids"].numel() == 1 else pytest.fail("the model was run")

    monkeypatch.setattr(LlamaForCausalLM, "forward", of_one_token)
    assert main(["evaluate", "model", *ASKED, "--scaling", *SCALINGS, "--out", "out"]) == 0
    printed = capsys.readouterr().out
    assert "passkey: retrieved, over all depths" in printed
    again = json.loads((place / "out" / "report.json").read_text())
    for before, after in zip(report["runs"], again["runs"], strict=True):
        assert {k: v for k, v in before.items() if k != "seconds"} == {k: v for k, v in after.items() if k != "seconds"}


@pytest.mark.parametrize("changed", ["weights", "tokenizer", "dtype", "seed", "scaling", "text"])
def test_what_was_kept_of_another_is_never_used(changed, place, tmp_path, monkeypatch):
    """Asked with everything but one thing the same, each of the two parts runs anew if that one concerns it."""
    monkeypatch.chdir(place)
    more = {"dtype": ["--dtype", "bfloat16"], "seed": ["--seed", "1"], "scaling": ["--scaling", "yarn:2.5"]}
    texts, model = place / "texts", place / "model"
    if changed == "weights":
        model = save_tiny(tmp_path / "model", seed=1)
    if changed == "tokenizer":
        model = save_tiny(tmp_path / "model")
        file = model / "tokenizer.json"
        file.write_text(
            file.read_text()
            .replace('"add_prefix_space":false', '"add_prefix_space":true')
            .replace('"add_prefix_space": false', '"add_prefix_space": true')
        )
    if changed == "text":
        texts = tmp_path / "texts"
        texts.mkdir()
        (texts / "one.txt").write_text((place / "texts" / "one.txt").read_text().replace("5", "6"))
    ran = set()
    forward = LlamaForCausalLM.forward

    def listening(self, *rows, **inputs):
        if inputs["input_ids"].numel() > 1:  # one token: whether the model has the last position at all
            ran.add("needles" if inputs.get("use_cache") else "losses")
        return forward(self, *rows, **inputs)

    monkeypatch.setattr(LlamaForCausalLM, "forward", listening)
    asked = [str(texts) if word == "texts" else word for word in ASKED]
    scaling = [] if changed == "scaling" else ["--scaling", "plain"]
    assert main(["evaluate", str(model), *asked, *scaling, *more.get(changed, []), "--out", "out"]) == 0
    assert ran == {"seed": {"needles"}, "text": {"losses"}}.get(changed, {"needles", "losses"})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["model"], "--lengths is missing"),
        (["nowhere", "--lengths", "448"], "nowhere is no folder"),
        (["texts", "--lengths", "448"], "texts has no tokenizer"),
        (["model", "--lengths", "448", "--depths", "1.5"], "depths has 1.5"),
        (["model", "--lengths", "64"], "passkey at length 64"),
        (["model", "--lengths", "448", "--needles"], "nothing is asked"),
        (["model", "--lengths", "448", "--needles", "hay"], "needles is ['hay']"),
        (["model", "--lengths", "448", "--texts", "nowhere"], "nowhere is not there"),
        (
            ["model", "--lengths", "4480", "--needles", "--texts", "texts"],
            "perplexity at length 4,480 needs a text of as many",
        ),
        (["model", "--lengths", "448", "--texts", "texts", "--stride", "448"], "stride is 448"),
        (["model", "--lengths", "448", "--scaling", "yam:4"], "scaling is 'yam:4'"),
        (["model", "--lengths", "448", "--scaling", "plain", "plain"], "scaling names plain twice"),
        (["model", "--lengths", "448", "--dtype", "int8"], "dtype is 'int8'"),
        (["model", "--lengths", "448", "--batch-size", "0"], "batch-size is 0"),
    ],
)
def test_a_wrong_call_is_an_error_before_the_model_runs(arguments, says, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setattr(LlamaForCausalLM, "forward", lambda *_, **__: pytest.fail("the model was run"))
    assert main(["evaluate", *arguments, "--out", "wrong"]) == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert not (place / "wrong").exists()


def test_a_table_of_positions_that_ends_before_the_length_is_an_error_before_anything_is_measured(
    tmp_path, monkeypatch, capsys
):
    torch.manual_seed(0)
    config = GPTJConfig(vocab_size=257, n_positions=512, n_embd=32, n_layer=1, n_head=2, rotary_dim=8)
    GPTJForCausalLM(config).save_pretrained(tmp_path / "gptj")
    bytes_tokenizer().save_pretrained(tmp_path / "gptj")
    monkeypatch.chdir(tmp_path)
    asked = ["evaluate", "gptj", "--depths", "0", "--out", "out", "--lengths"]
    assert main([*asked, "640"]) == 2
    assert "lengths go to 640 tokens and GPTJForCausalLM has no position 639" in " ".join(
        capsys.readouterr().err.split()
    )
    assert not (tmp_path / "out" / "report.json").exists()
    assert main([*asked, "448"]) == 0


def test_lengths_beyond_the_tokenizers_limit_are_served_and_said(place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    model = save_tiny(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.model_max_length = 400
    tokenizer.save_pretrained(model)
    assert main(["evaluate", str(model), "--lengths", "448", "--depths", "0", "--out", str(tmp_path / "out")]) == 0
    assert "lengths go to 448 tokens and the tokenizer's own limit is 400" in " ".join(capsys.readouterr().err.split())
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["runs"][0]["lm_eval"]["samples"]["yarncore_passkey"][0]["length"] == 448


def test_without_the_extra_it_says_which_to_install(place, monkeypatch, capsys):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "lm_eval" else find(name, *rest)
    )
    assert main(["evaluate", str(place / "model"), "--lengths", "448"]) == 2
    assert "evaluating needs lm_eval: pip install 'yarncore[evaluate]'" in capsys.readouterr().err


def test_a_full_disk_is_an_error_that_loses_nothing_that_was_kept(place, report, monkeypatch, capsys):
    monkeypatch.chdir(place)
    before = (place / "out" / "report.json").read_bytes()

    def full(self, *_, **__):
        raise OSError(28, "No space left on device", str(self))

    from pathlib import Path

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        assert main(["evaluate", "model", *ASKED, "--scaling", *SCALINGS, "--out", "out"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert (place / "out" / "report.json").read_bytes() == before
