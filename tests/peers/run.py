"""Run another project's own tests of its rotation with `rotate_by` in the place of its kernel, on the CPU.

Run: python tests/peers/run.py flash-attention CHECKOUT   (https://github.com/Dao-AILab/flash-attention)
     python tests/peers/run.py liger CHECKOUT             (https://github.com/linkedin/Liger-Kernel)
Needs einops. What it said last stands in results.md.

Their files are read from a checkout of yours and run as they are but for what `edits` names: the device, and batches that
would take minutes on a CPU. Only the kernel is ours; what wraps it, autograd functions above all, stays theirs.
"""

import argparse
import importlib.util
import sys
import tempfile
import types
from pathlib import Path

import pytest
import torch

import yarncore as yc


def module(name, path=(), **contents):
    """A module of this name that holds nothing but `contents`; with a path, its other parts are the checkout's."""
    made = types.ModuleType(name)
    made.__path__ = [str(part) for part in path]
    made.__spec__ = importlib.util.spec_from_loader(name, loader=None, is_package=True)
    vars(made).update(contents)
    sys.modules[name] = made
    return made


def apply_rotary(
    x, cos, sin, seqlen_offsets=0, cu_seqlens=None, max_seqlen=None, interleaved=False, inplace=False, conjugate=False
):
    """In the place of flash_attn/ops/triton/rotary.py: rows of the tables chosen by offset or by packed sequence."""
    if cu_seqlens is not None:
        offsets = seqlen_offsets if isinstance(seqlen_offsets, torch.Tensor) else None
        positions = yc.packed_positions(cu_seqlens, x.shape[0], offsets)
        positions = positions if offsets is not None else positions + seqlen_offsets
    else:
        positions = torch.arange(x.shape[1])
        offset = seqlen_offsets
        positions = positions + (offset[:, None] if isinstance(offset, torch.Tensor) else offset)
    cos, sin = cos[positions], sin[positions]
    rotate = yc.rotate_by_ if inplace else yc.rotate_by
    return rotate(x.detach(), None, cos, -sin if conjugate else sin, heads_axis=-2, interleaved=interleaved)


class LigerRope(torch.autograd.Function):
    """In the place of Liger's LigerRopeFunction: (batch, heads, seq, dim), tables with every number repeated."""

    @staticmethod
    def forward(ctx, q, k, cos, sin, position_ids=None, unsqueeze_dim=1):
        ctx.save_for_backward(cos, sin)
        return yc.rotate_by(q, k, cos, sin, heads_axis=-3, layout="repeated")

    @staticmethod
    def backward(ctx, dq, dk):
        cos, sin = ctx.saved_tensors
        return *yc.rotate_by(dq, dk, cos, -sin, heads_axis=-3, layout="repeated"), None, None, None, None


def flash_attention(checkout):
    module("triton")
    module("flash_attn", [checkout / "flash_attn"])
    module("flash_attn.ops", [checkout / "flash_attn/ops"])
    module("flash_attn.ops.triton", [])
    module("flash_attn.ops.triton.rotary", apply_rotary=apply_rotary)
    torch.cuda.get_device_capability = lambda device: (8, 0)
    edits = {'"cuda"': '"cpu"', "batch_size = 32": "batch_size = 2"}

    def left_out(item):  # triton's own cache; and torch.compile around the kernel that ours stands in for
        return "compilation_count" in item.name or item.callspec.params.get("compiled")

    return checkout / "tests/test_rotary.py", edits, left_out


def liger(checkout):
    source = checkout / "src/liger_kernel"
    module("liger_kernel", [source])
    module("liger_kernel.ops", LigerRopeFunction=LigerRope)
    module("liger_kernel.transformers", [source / "transformers"])
    module("liger_kernel.transformers.functional", liger_rope=LigerRope.apply)
    module("test")
    module("test.utils", supports_bfloat16=lambda: True)
    edits = {
        'head_dim=head_dim), "device": device}': "head_dim=head_dim)}",  # transformers 5.24 takes no device
        "(3, 423, 73, 213, 92)": "(3, 43, 73, 213, 92)",
    }

    def left_out(item):  # two entries of theirs compared with each other, of which ours are one function
        return "test_correctness" not in item.name

    return checkout / "test/transformers/test_rope.py", edits, left_out


class LeavesOut:
    """A plugin that takes tests away, and says how many."""

    def __init__(self, which):
        self.which = which

    def pytest_collection_modifyitems(self, config, items):
        config.hook.pytest_deselected(items=[item for item in items if self.which(item)])
        items[:] = [item for item in items if not self.which(item)]


PEERS = {"flash-attention": flash_attention, "liger": liger}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("checkout", type=Path)
    options = parser.parse_args()
    file, edits, left_out = PEERS[options.peer](options.checkout.resolve())
    text = file.read_text()
    for old, new in edits.items():
        if old not in text:
            raise SystemExit(f"{file} has no {old!r}: it is another version than this command knows")
        text = text.replace(old, new)
    with tempfile.TemporaryDirectory(prefix="yarncore-peers-") as folder:
        copy = Path(folder, file.name)
        copy.write_text(text)
        arguments = [str(copy), "-q", "-p", "no:cacheprovider", "--rootdir", folder, "-c", "/dev/null"]
        sys.exit(pytest.main(arguments, plugins=[LeavesOut(left_out)]))


if __name__ == "__main__":
    main()
