"""What is typed -> an evaluation, everything checked before a model runs."""

import argparse
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers

from yarncore.errors import ConfigWarning
from yarncore.evaluate.evaluation import Evaluation, Perplexity, described, write_report
from yarncore.evaluate.harness import Needles
from yarncore.evaluate.perplexity import Windows
from yarncore.evaluate.pictures import draw
from yarncore.evaluate.progress import Progress
from yarncore.evaluate.request import checked_depths, checked_lengths
from yarncore.evaluate.scaled_model import check_reach, length_of, scaled
from yarncore.evaluate.scalings import AS_IS, parse_scaling
from yarncore.evaluate.texts import read_texts


def evaluate_folder(options: argparse.Namespace) -> tuple[dict[str, Any], list[Path]]:
    """Evaluate a model's folder as `yarncore evaluate` is asked to; returns the report and the files that were written."""
    lengths, depths = checked_lengths(options.lengths), checked_depths(options.depths)
    if options.batch_size < 1:
        raise ValueError(f"batch-size is {options.batch_size}; at least 1 is expected")
    if not options.needles and options.texts is None:
        raise ValueError("nothing is asked: name --needles, or --texts for perplexity")
    texts = None if options.texts is None else Perplexity(read_texts(options.texts), _windows(options, lengths))
    tokenizer = _tokenizer(options.model)
    if max(lengths) > tokenizer.model_max_length:
        warnings.warn(
            f"lengths go to {max(lengths):,} tokens and the tokenizer's own limit is {tokenizer.model_max_length:,}: it cuts "
            "nothing here, but an engine that reads its limit will",
            ConfigWarning,
            stacklevel=2,
        )
    needles = None
    if options.needles:
        needles = Needles(
            options.needles, tokenizer, lengths, depths,
            samples=options.samples, seed=options.seed, haystack=options.haystack,
        )  # fmt: skip
    model = _model(options)
    _check_scalings(model, options.scaling, options.original_length)
    out = Path(options.out)
    evaluation = Evaluation(
        model, tokenizer, out / "kept",
        needles=needles, perplexity=texts, batch_size=options.batch_size, original_length=options.original_length,
    )  # fmt: skip
    for typed in options.scaling:
        with scaled(model, typed, options.original_length):
            check_reach(model, max(lengths))
    progress = Progress(evaluation.tokens * len(options.scaling))
    try:
        runs = evaluation.run(options.scaling, progress)
    finally:
        progress.close()
    report = described(evaluation, runs, _asked(options, lengths, depths))
    write_report(report, out / "report.json")
    return report, [out / "report.json", *draw(report, out)]


def _windows(options: argparse.Namespace, lengths: list[int]) -> Windows:
    return Windows(tuple(lengths), options.stride, options.windows)


def _asked(options: argparse.Namespace, lengths: list[int], depths: list[float]) -> dict[str, Any]:
    names = "model scaling original_length needles samples seed haystack texts stride windows batch_size"
    return {name: getattr(options, name) for name in names.split()} | {"lengths": lengths, "depths": depths}


def _tokenizer(folder: str) -> Any:
    if not Path(folder).is_dir():
        raise FileNotFoundError(
            f"{folder} is no folder; one with a model of transformers and its tokenizer is expected"
        )
    try:
        return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{folder} has no tokenizer that transformers can load: {str(error).splitlines()[0]}"
        ) from error


def _model(options: argparse.Namespace) -> Any:
    dtype = "auto" if options.dtype == "auto" else getattr(torch, options.dtype, None)
    if dtype != "auto" and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise ValueError(
            f"dtype is {options.dtype!r}; auto, float32, bfloat16 or another floating type of torch is expected"
        )
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype, local_files_only=True)
    return model.to(device).eval()


def _check_scalings(model: Any, typed: list[str], original_length: int | None) -> None:
    twice = {each for each in typed if typed.count(each) > 1}
    if twice:
        raise ValueError(f"scaling names {', '.join(sorted(twice))} twice")
    if set(typed) != {AS_IS}:
        length = length_of(model, original_length)
        for each in typed:
            if each != AS_IS:
                parse_scaling(each, length)
