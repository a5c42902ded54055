"""Fine-tune a model to a longer context by the YaRN paper's recipe, and evaluate it before and after.

    torchrun --nproc_per_node 8 examples/finetune.py MODEL_FOLDER TEXTS --out OUT --processes 8 \\
        --stages yarn:16@400 yarn:32@200 --length 65536 --pretraining-tokens 2e12 \\
        --evaluate-lengths 4096 32768 65536 131072 --evaluate-texts HELD_OUT

AdamW 0.9 / 0.95, 2e-5 after 20 steps of warm-up and then linearly to 0, no weight decay, no clipping, 64 rows of 64k tokens a
step: 400 steps at s = 16, then 200 at s = 32 from that checkpoint (arXiv:2309.00071, section 4.1; the schedule after the
warm-up is that of the authors' finetune.py, jquesnelle/yarn 03156a9). TRL's SFTTrainer on accelerate does the training.
Called again with the same --out it goes on where it was stopped.

Launch several processes by torchrun. On a CPU `accelerate launch` starts one process, or DDP in place of FSDP2, without a word;
--processes and --fsdp say what you want, and another wrapper or number of processes is an error.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
from trl import SFTConfig, SFTTrainer

from yarncore.evaluate.scaled_model import length_of
from yarncore.evaluate.scalings import parse_scaling
from yarncore.evaluate.texts import read_texts
from yarncore.transformers import extend

# What TRL calls them. Documents that are longer than a row are split.
PACKING = {"reset": "bfd_split", "joined": "wrapped", "none": None}


@dataclass(frozen=True)
class Stage:
    """A scaling and how many steps are trained under it: `yarn:16@400`."""

    scaling: str
    steps: int

    @classmethod
    def of(cls, typed: str) -> "Stage":
        scaling, at, steps = typed.rpartition("@")
        if not at or not steps.isdigit() or int(steps) < 1:
            raise argparse.ArgumentTypeError(
                f"{typed!r} is no stage; a scaling and its steps are expected, as yarn:16@400"
            )
        return cls(scaling, int(steps))

    @property
    def name(self) -> str:
        return self.scaling.replace(":", "-").replace(",", "_")


def parser() -> argparse.ArgumentParser:
    it = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    it.add_argument("model", help="a folder with a model of transformers and its tokenizer")
    it.add_argument("texts", help="a file or folder of long texts in UTF-8")
    it.add_argument("--out", required=True)
    it.add_argument("--stages", nargs="+", type=Stage.of, default=[Stage("yarn:16", 400), Stage("yarn:32", 200)])
    it.add_argument("--length", type=int, default=65536, help="tokens of a row")
    it.add_argument("--global-batch", type=int, default=64, help="rows of a step, over all processes")
    it.add_argument("--row-batch", type=int, default=1, help="rows at a time in one process")
    it.add_argument(
        "--packing",
        choices=PACKING,
        default="none",
        help="none: a piece of one document a row, as in the paper; reset: several documents, positions from 0 in each; "
        "joined: several, positions go on",
    )
    it.add_argument("--learning-rate", type=float, default=2e-5)
    it.add_argument("--warmup", type=int, default=20, help="steps")
    it.add_argument(
        "--lora", type=int, metavar="RANK", help="train adapters on all linear layers, and merge them at the end"
    )
    it.add_argument("--dtype", default="bfloat16")
    it.add_argument("--cpu", action="store_true")
    it.add_argument("--gradient-checkpointing", action=argparse.BooleanOptionalAction, default=True)
    it.add_argument("--save-every", type=int, default=50, help="steps")
    it.add_argument("--seed", type=int, default=0)
    it.add_argument("--original-length", type=int, help="tokens that it was trained for; default: its config's")
    it.add_argument("--pretraining-tokens", type=float, help="to tell the budget's share of them")
    it.add_argument(
        "--processes", type=int, default=int(os.environ.get("WORLD_SIZE", "1")), help="that must be running"
    )
    it.add_argument("--fsdp", action="store_true", help="FSDP2 must be what really wraps the model")
    it.add_argument("--evaluate-lengths", nargs="+", type=int, help="evaluate before and after, at these")
    it.add_argument("--evaluate-texts", help="a file or folder of texts that are not trained on")
    return it


def rows_of(options: argparse.Namespace, tokenizer: Any) -> datasets.Dataset:
    """Documents as tokens, each ended by the tokenizer's end of text; cut to whole rows where nothing is packed."""
    rows = []
    for text in read_texts(options.texts).values():
        tokens = [*tokenizer(text, verbose=False).input_ids, tokenizer.eos_token_id]
        if options.packing == "none":
            ends = range(0, len(tokens) + 1, options.length)
            rows += [tokens[begin:end] for begin, end in pairwise(ends)]
        else:
            rows.append(tokens)
    if not rows:
        raise ValueError(
            f"{options.texts} has no document of {options.length:,} tokens; give longer ones, or --packing reset"
        )
    return datasets.Dataset.from_dict({"input_ids": rows})


def configuration(options: argparse.Namespace, stage: Stage, folder: Path) -> SFTConfig:
    """The paper's recipe for one stage."""
    together = options.processes * options.row_batch
    if options.global_batch % together:
        raise ValueError(
            f"global-batch is {options.global_batch}; a multiple of {options.processes} processes x {options.row_batch} rows "
            "is expected"
        )
    strategy = PACKING[options.packing]
    return SFTConfig(
        output_dir=str(folder), max_steps=stage.steps, max_length=options.length,
        packing=strategy is not None, **({} if strategy is None else {"packing_strategy": strategy}),
        per_device_train_batch_size=options.row_batch, gradient_accumulation_steps=options.global_batch // together,
        learning_rate=options.learning_rate, lr_scheduler_type="linear", warmup_steps=options.warmup,
        optim="adamw_torch", adam_beta1=0.9, adam_beta2=0.95, weight_decay=0.0, max_grad_norm=0.0,
        bf16=options.dtype == "bfloat16", gradient_checkpointing=options.gradient_checkpointing,
        save_steps=options.save_every, save_total_limit=2, logging_steps=1, logging_nan_inf_filter=False,
        report_to="none", disable_tqdm=True, use_cpu=options.cpu, seed=options.seed, data_seed=options.seed,
    )  # fmt: skip


class Watch(transformers.TrainerCallback):
    """Says what really runs before the first step, writes each loss, and stops where one is no number."""

    def __init__(self, options: argparse.Namespace, stage: Stage) -> None:
        self.options, self.stage = options, stage
        self.trainer: Any = None

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        accelerator, wrapped = self.trainer.accelerator, self.trainer.model_wrapped
        sharded = any(hasattr(parameter, "device_mesh") for parameter in wrapped.parameters())
        kind = "FSDP2" if sharded else "DDP" if isinstance(wrapped, torch.nn.parallel.DistributedDataParallel) else "no"
        if accelerator.is_main_process:
            print(
                f"{kind} wrapper ({type(wrapped).__name__}; accelerate: {accelerator.distributed_type}), "
                f"{accelerator.num_processes} processes, {accelerator.device}",
                flush=True,
            )
        if accelerator.num_processes != self.options.processes:
            raise RuntimeError(
                f"{self.options.processes} processes are expected and {accelerator.num_processes} run: launch by torchrun"
            )
        wanted = "FSDP2" if self.options.fsdp else "DDP" if self.options.processes > 1 else "no"
        if kind != wanted:
            raise RuntimeError(f"{wanted} wrapper is expected, and it is {kind} ({type(wrapped).__name__})")

    def on_log(self, _: Any, state: Any, __: Any, logs: dict[str, float] | None = None, **___: Any) -> None:
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        line = {"stage": self.stage.scaling, "step": state.global_step, "of": self.stage.steps, **logs}
        with (Path(self.options.out) / "losses.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(f"{self.stage.scaling} step {state.global_step}/{self.stage.steps}: loss {logs['loss']:.6f}", flush=True)
        if not logs["loss"] < float("inf"):
            raise ValueError(f"the loss is {logs['loss']} at step {state.global_step} of {self.stage.scaling}")


def train(options: argparse.Namespace, stage: Stage, start: Path, length: int) -> Path:
    """Train one stage from a folder; returns the folder of the result."""
    folder = Path(options.out) / stage.name
    done = folder / "final"
    if (done / "config.json").exists():
        return done
    tokenizer = transformers.AutoTokenizer.from_pretrained(start)
    model = transformers.AutoModelForCausalLM.from_pretrained(start, dtype=getattr(torch, options.dtype))
    report = extend(model, parse_scaling(stage.scaling, length), original_length=options.original_length, replace=True)
    watch = Watch(options, stage)
    trainer = SFTTrainer(
        model=model,
        args=configuration(options, stage, folder),
        train_dataset=rows_of(options, tokenizer),
        processing_class=tokenizer,
        peft_config=_adapters(options.lora),
        callbacks=[watch],
    )
    watch.trainer = trainer
    if trainer.accelerator.is_main_process:
        print(report, _budget(options, stage), sep="\n", flush=True)
    last = transformers.trainer_utils.get_last_checkpoint(str(folder)) if folder.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    _save(trainer, tokenizer, done)
    return done


def _adapters(rank: int | None) -> Any:
    if rank is None:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=rank, lora_alpha=4 * rank, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def _budget(options: argparse.Namespace, stage: Stage) -> str:
    tokens = stage.steps * options.global_batch * options.length
    share = f", {tokens / options.pretraining_tokens:.2%} of pretraining" if options.pretraining_tokens else ""
    rows = f"{options.global_batch} rows of {options.length:,} tokens"
    return f"{stage.scaling}: {stage.steps} steps of {rows}: {tokens:,} tokens{share}"


def _save(trainer: Any, tokenizer: Any, done: Path) -> None:
    """Write the model beside its place and then into it, so that no half a model is taken for a whole one."""
    beside = done.with_name("final.part")
    if trainer.args.process_index == 0 and hasattr(trainer.model, "merge_and_unload"):
        trainer.accelerator.unwrap_model(trainer.model).merge_and_unload().save_pretrained(beside)
    elif not hasattr(trainer.model, "merge_and_unload"):
        trainer.save_model(str(beside))  # all processes: what is sharded is gathered
    trainer.accelerator.wait_for_everyone()
    if trainer.args.process_index == 0:
        tokenizer.save_pretrained(beside)
        beside.rename(done)
    trainer.accelerator.wait_for_everyone()


def evaluate(options: argparse.Namespace, folders: dict[str, tuple[str, str]]) -> None:
    """Evaluate folders by `yarncore evaluate`, each under its scaling, and print one table.

    A checkpoint need hold nothing of the rope: each is extended again, which its label says.
    """
    from rich.console import Console

    from yarncore.commands.evaluate import add_arguments
    from yarncore.evaluate.asked import evaluate_folder
    from yarncore.reports.evaluated import tables

    asked = argparse.ArgumentParser()
    add_arguments(asked)
    runs = []
    for label, (folder, scaling) in folders.items():
        typed = [folder, "--scaling", scaling, "--out", f"{options.out}/evaluation/{label.replace(' ', '-')}"]
        typed += ["--lengths", *map(str, options.evaluate_lengths), "--dtype", options.dtype]
        typed += ["--texts", options.evaluate_texts] if options.evaluate_texts else []
        typed += ["--original-length", str(options.original_length)] if options.original_length else []
        report, _ = evaluate_folder(asked.parse_args(typed))
        runs += [run | {"scaling": f"{label}, extended by {scaling}"} for run in report["runs"]]
    for table in tables({"runs": runs}):
        Console().print(table)


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    Path(options.out).mkdir(parents=True, exist_ok=True)
    length = length_of(transformers.AutoModelForCausalLM.from_pretrained(options.model), options.original_length)
    result, folders = Path(options.model), {}
    for stage in options.stages:
        folders[f"before {stage.scaling}"] = (options.model, stage.scaling)
        result = train(options, stage, result, length)
        folders[f"after {stage.scaling}"] = (str(result), stage.scaling)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    if options.evaluate_lengths and int(os.environ.get("RANK", "0")) == 0:
        evaluate(options, folders)


if __name__ == "__main__":
    sys.exit(main())
