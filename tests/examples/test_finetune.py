"""The recipe of examples/finetune.py: killed and resumed, packed, sharded, with adapters; it says what really runs."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from sharded_training import losses
from tiny_models import save_tiny
from transformers import AutoModelForCausalLM, AutoTokenizer

import yarncore as yc
from yarncore.transformers import extend

ROOT = Path(__file__).parents[2]
HERE = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "examples")]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(HERE), "TQDM_DISABLE": "1"}
SMALL = [
    "--length",
    "128",
    "--global-batch",
    "4",
    "--cpu",
    "--dtype",
    "float32",
    "--learning-rate",
    "1e-3",
    "--warmup",
    "2",
]

# TRL sets by default what transformers calls by another name now.
pytestmark = pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def finetune():
    found = importlib.util.spec_from_file_location("finetune", ROOT / "examples" / "finetune.py")
    module = importlib.util.module_from_spec(found)
    sys.modules["finetune"] = module  # where dataclasses look for the names of a class
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model, and texts of different lengths."""
    folder = tmp_path_factory.mktemp("finetuning")
    save_tiny(folder / "model")
    (folder / "texts").mkdir()
    for n in range(6):
        lines = "".join(f"Line {line} of text {n} says {line * 7 % 13}.\n" for line in range(2 + 3 * n))
        (folder / "texts" / f"{n}.txt").write_text(lines)
    return folder


def options_of(finetune, place, *more):
    return finetune.parser().parse_args(
        [str(place / "model"), str(place / "texts"), "--out", str(place / "out"), *SMALL, *more]
    )


def losses_of(folder):
    return [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]


@pytest.mark.whole
def test_two_processes_that_were_killed_go_on_with_the_same_losses(place):
    """Steps between the last checkpoint and the kill are repeated, and their losses with them."""
    out = place / "two"
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", free_port(),
        str(ROOT / "examples" / "finetune.py"), str(place / "model"), str(place / "texts"), "--out", str(out), *SMALL,
        "--stages", "yarn:2@60", "--save-every", "25", "--packing", "reset",
    ]  # fmt: skip
    killed = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not (out / "losses.jsonl").exists() or len(losses_of(out)) < 29:
        assert killed.poll() is None, killed.stderr.read().decode()
        time.sleep(0.01)
    # The workers are sessions of their own, which torchrun's death does not end.
    workers = Path(f"/proc/{killed.pid}/task/{killed.pid}/children").read_text().split()
    for process in (killed.pid, *map(int, workers)):
        os.kill(process, signal.SIGKILL)
    killed.communicate()
    before = {line["step"]: line["loss"] for line in losses_of(out)}
    resumed = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert (
        "DDP wrapper (DistributedDataParallel; accelerate: DistributedType.MULTI_CPU), 2 processes, cpu"
        in resumed.stdout
    )
    assert "60 steps of 4 rows of 128 tokens: 30,720 tokens" in resumed.stdout
    after = {line["step"]: line["loss"] for line in losses_of(out)[len(before) :]}
    assert list(after) == list(range(26, 61))
    repeated = sorted(before.keys() & after.keys())
    assert len(repeated) >= 4
    assert [after[step] for step in repeated] == pytest.approx([before[step] for step in repeated], abs=1e-6)
    assert (out / "yarn-2" / "final" / "tokenizer.json").exists()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


def test_packed_documents_are_each_alone(finetune, place):
    """A row as TRL hands it over, under an extended model: no attention mask, positions from 0 in each document."""
    options = options_of(finetune, place, "--packing", "reset")
    tokenizer = AutoTokenizer.from_pretrained(place / "model")
    model = AutoModelForCausalLM.from_pretrained(place / "model").eval()
    extend(model, yc.YaRN(4.0, 512))
    trainer = finetune.SFTTrainer(
        model=model,
        args=finetune.configuration(options, finetune.Stage("yarn:4", 1), place / "packed"),
        train_dataset=finetune.rows_of(options, tokenizer),
        processing_class=tokenizer,
    )
    batch = max(trainer.get_train_dataloader(), key=lambda each: int((each["position_ids"] == 0).sum()))
    assert "attention_mask" not in batch
    starts = (batch["position_ids"][0] == 0).nonzero().flatten().tolist()
    assert len(starts) > 1
    model.eval()
    with torch.no_grad():
        together = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"]).logits[0]
        masked = model(
            **{name: batch[name] for name in ("input_ids", "position_ids")},
            attention_mask=torch.ones_like(batch["input_ids"]),
        ).logits[0]
        for begin, end in zip(starts, [*starts[1:], together.shape[0]], strict=True):
            alone = model(input_ids=batch["input_ids"][:, begin:end]).logits[0]
            torch.testing.assert_close(together[begin:end], alone, rtol=0, atol=2e-5)  # another order of float32 sums
    # The trap: a mask of ones beside the positions mixes the documents without a word.
    assert (masked - together)[starts[1] :].abs().max() > 0.01


def test_rows_are_whole_pieces_of_a_document_where_nothing_is_packed(finetune, place):
    tokenizer = AutoTokenizer.from_pretrained(place / "model")
    rows = finetune.rows_of(options_of(finetune, place), tokenizer)["input_ids"]
    assert {len(row) for row in rows} == {128}
    text = (place / "texts" / "5.txt").read_text()
    assert "".join(tokenizer.decode(row) for row in rows).endswith(text[: len(text) // 128 * 128])
    with pytest.raises(ValueError, match="no document of 4,096 tokens"):
        finetune.rows_of(options_of(finetune, place, "--length", "4096"), tokenizer)


@pytest.mark.whole
def test_two_processes_that_share_a_model_have_the_losses_of_one(tmp_path):
    port, file = free_port(), tmp_path / "losses.json"
    script = str(ROOT / "tests" / "examples" / "sharded_training.py")
    started = [
        subprocess.Popen([sys.executable, script, str(rank), "2", port, str(file)], env=ENVIRONMENT)
        for rank in range(2)
    ]
    alone = losses(0, 1, shard=False)
    assert [process.wait() for process in started] == [0, 0]
    assert json.loads(file.read_text()) == pytest.approx(alone, rel=1e-6)
    assert alone[-1] < alone[0]


@pytest.mark.whole
def test_adapters_are_merged_and_the_table_has_before_and_after(finetune, place, capsys):
    out = place / "adapters"
    finetune.main(
        [str(place / "model"), str(place / "texts"), "--out", str(out), *SMALL, "--stages", "yarn:2@2", "yarn:4@2",
         "--lora", "4", "--pretraining-tokens", "1e6", "--evaluate-lengths", "448"]
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert "no wrapper (LlamaForCausalLM" in printed or "no wrapper (Peft" in printed
    assert "2 steps of 4 rows of 128 tokens: 1,024 tokens, 0.10% of pretraining" in printed
    for label in ("before yarn:2", "after yarn:2", "before yarn:4", "after yarn:4"):
        assert f"{label}, extended by" in printed
    models = [
        AutoModelForCausalLM.from_pretrained(folder)
        for folder in (place / "model", out / "yarn-2" / "final", out / "yarn-4" / "final")
    ]
    names = [set(model.state_dict()) for model in models]
    assert names[0] == names[1] == names[2]
    weights = [model.model.layers[0].self_attn.q_proj.weight for model in models]
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])


@pytest.mark.parametrize(
    ("more", "raised", "says"),
    [
        (["--processes", "2"], RuntimeError, "2 processes are expected and 1 run"),
        (["--fsdp"], RuntimeError, "FSDP2 wrapper is expected, and it is no"),
        (["--processes", "3"], ValueError, "global-batch is 4; a multiple of 3 processes x 1 rows"),
    ],
)
def test_another_wrapper_than_asked_for_is_an_error(more, raised, says, finetune, place, tmp_path):
    with pytest.raises(raised, match=says):
        finetune.main(
            [str(place / "model"), str(place / "texts"), "--out", str(tmp_path), *SMALL, "--stages", "yarn:2@1", *more]
        )


def test_a_stage_is_a_scaling_and_steps(finetune, capsys):
    assert finetune.Stage.of("yarn:16,beta_fast=8@400") == finetune.Stage("yarn:16,beta_fast=8", 400)
    for typed in ("yarn:16", "yarn:16@", "yarn:16@0", "@4x"):
        with pytest.raises(SystemExit):
            finetune.parser().parse_args(["model", "texts", "--out", "out", "--stages", typed])
        assert "no stage" in capsys.readouterr().err
