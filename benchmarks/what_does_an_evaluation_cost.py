"""What does an evaluation cost beside the model's forward?

A clock of processor time around each forward of an 8-layer model, in `Evaluation.run`: needles on a grid and perplexities.
Apart is what lm-eval takes for a run whatever is asked: the same run of a model that answers at once, over one prompt.
Run: python benchmarks/what_does_an_evaluation_cost.py
"""

import sys
import tempfile
import time
from pathlib import Path

import torch
import transformers

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from tokenizers_in_code import bytes_tokenizer

from yarncore.evaluate.evaluation import Evaluation, Perplexity
from yarncore.evaluate.harness import Needles
from yarncore.evaluate.perplexity import Windows
from yarncore.evaluate.progress import Progress


def llama(layers):
    """Layers of 512 over bytes, or a model of nothing where the harness alone is timed."""
    config = transformers.LlamaConfig(
        vocab_size=257, hidden_size=512 if layers > 1 else 8, intermediate_size=1536 if layers > 1 else 8,
        num_hidden_layers=layers, num_attention_heads=8 if layers > 1 else 1, num_key_value_heads=4 if layers > 1 else 1,
        max_position_embeddings=512, bos_token_id=None, eos_token_id=256, pad_token_id=256,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


def run(model, lengths, depths, texts):
    """Seconds of processor time of a run, and those inside the model's forward."""
    inside, forward = 0.0, model.forward

    def timed(*rows, **inputs):
        nonlocal inside
        started = time.process_time()
        try:
            return forward(*rows, **inputs)
        finally:
            inside += time.process_time() - started

    tokenizer = bytes_tokenizer()
    started = time.process_time()
    needles = Needles(["passkey"], tokenizer, lengths, depths)
    perplexity = Perplexity(texts, Windows(tuple(lengths), 256, 4)) if texts else None
    with tempfile.TemporaryDirectory() as folder:
        evaluation = Evaluation(model, tokenizer, Path(folder), needles=needles, perplexity=perplexity, batch_size=4)
        model.forward = timed
        progress = Progress(evaluation.tokens)
        evaluation.run(["yarn:4"], progress)
        progress.close()
    model.forward = forward
    return time.process_time() - started, inside


def main():
    torch.set_num_threads(1)
    run(llama(1), [512], [0.5], None)  # imports
    fixed, of_nothing = run(llama(1), [512], [0.5], None)
    texts = {"numbers": "".join(f"{n} is followed by {n + 1}. " for n in range(400))}
    for layers in (8,):
        whole, inside = run(llama(layers), [1024, 2048], [0.0, 0.25, 0.5, 0.75, 1.0], texts)
        beside = whole - inside - (fixed - of_nothing)
        print(
            f"{layers} layers of 512, 10 needles and 8 windows: {whole:.1f} s of a processor, {inside:.1f} s in the forward, "
            f"{fixed - of_nothing:.2f} s whatever is asked; beside them {beside:.2f} s, {beside / whole:.1%}"
        )


if __name__ == "__main__":
    main()
