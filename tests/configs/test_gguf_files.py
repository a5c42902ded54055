"""GGUF files: read as the gguf package wrote them, changed without loss, and harmless where they lie."""

import os
import struct
import warnings

import gguf
import numpy as np
import pytest

import yarncore as yc
from yarncore.configs.containers.gguf_header import read_header
from yarncore.configs.containers.gguf_rewrite import rewrite

PLAIN = yc.Rope(64, 1e6)
YARN = yc.Rope(64, 1e6, yc.YaRN(4.0, 32768))
pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")


def write_model(path, *, architecture="qwen3", tensors=(), words=("a", "b"), **more):
    """A small file as converters write it: shape, rotation, vocabulary, weights."""
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_context_length(32768)
    writer.add_block_count(2)
    writer.add_head_count(8)
    writer.add_head_count_kv(2)
    writer.add_key_length(64)
    writer.add_rope_freq_base(1e6)
    writer.add_token_list(list(words))
    writer.add_token_scores([0.5] * len(words))
    for key, value in more.items():
        getattr(writer, f"add_{key}")(value)
    for name, data in tensors:
        writer.add_tensor(name, data)
    writer.add_tensor("token_embd.weight", np.arange(24, dtype=np.float32).reshape(2, 12))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def plain(tmp_path):
    return write_model(tmp_path / "model.gguf")


def weights(path):
    return {tensor.name: tensor.data.tobytes() for tensor in gguf.GGUFReader(str(path)).tensors}


def test_the_header_is_what_the_gguf_package_reads(plain):
    header = read_header(plain)
    theirs = gguf.GGUFReader(str(plain))
    assert {key for key in theirs.fields if not key.startswith("GGUF.")} == set(header.entries)
    for key, entry in header.entries.items():
        expected = theirs.fields[key].contents()
        assert entry.value is None if entry.kind == 9 and isinstance(expected[0], str) else entry.value == expected
    assert header.data_start == theirs.data_offset
    assert set(header.tensors) == {"token_embd.weight"}


def test_a_file_is_a_configuration_like_another(plain):
    ropes = yc.ropes_from_config(plain)
    assert ropes.one() == PLAIN
    assert (ropes.heads, ropes.key_heads, ropes.advertised_length, len(ropes.layers)) == (8, 2, 32768, 2)
    assert ropes.model_type == "qwen3"
    assert ropes.evidence.kind == "run"


def test_llama_3_is_known_by_its_divisors(tmp_path):
    rope = yc.Rope(128, 5e5, yc.Llama3(8.0, 8192))
    divisors = np.float32(yc.Rope(128, 5e5).inverse_frequencies / rope.inverse_frequencies)
    path = write_model(
        tmp_path / "m.gguf", architecture="llama", tensors=[("rope_freqs.weight", divisors)],
        rope_dimension_count=128, rope_freq_base=5e5, key_length=128,
    )  # fmt: skip
    assert yc.from_config(path) == yc.Rope(128, 5e5, yc.Llama3(8.0, 8192), interleaved=True)


class TestRewriting:
    def test_a_plain_file_becomes_one_with_yarn_that_serves_the_length_and_keeps_its_weights(self, plain):
        before = weights(plain)
        written = yc.to_config(YARN, "gguf", path=plain)
        assert written["qwen3.context_length"] == 131072
        assert yc.from_config(plain) == YARN
        assert weights(plain) == before
        assert gguf.GGUFReader(str(plain)).fields["qwen3.rope.scaling.type"].contents() == "yarn"
        assert not list(plain.parent.glob(".*"))

    def test_values_of_equal_length_are_changed_where_they_stand(self, plain):
        yc.to_config(YARN, "gguf", path=plain)
        size, inode = plain.stat().st_size, plain.stat().st_ino
        yc.to_config(yc.Rope(64, 1e6, yc.YaRN(8.0, 32768)), "gguf", path=plain)
        assert (plain.stat().st_size, plain.stat().st_ino) == (size, inode)
        assert yc.ropes_from_config(plain).advertised_length == 262144
        assert yc.from_config(plain).scaling == yc.YaRN(8.0, 32768)

    def test_back_to_plain(self, plain):
        yc.to_config(YARN, "gguf", path=plain)
        yc.to_config(PLAIN, "gguf", path=plain)
        assert yc.from_config(plain) == PLAIN

    def test_a_link_is_replaced_and_what_it_pointed_to_stays(self, plain, tmp_path):
        link = tmp_path / "link.gguf"
        link.symlink_to(plain)
        before = plain.read_bytes()
        yc.to_config(YARN, "gguf", path=link)
        yc.to_config(yc.Rope(64, 1e6, yc.YaRN(8.0, 32768)), "gguf", path=link)
        assert plain.read_bytes() == before
        assert yc.from_config(link).scaling == yc.YaRN(8.0, 32768)

    def test_what_does_not_fit_is_refused_before_anything_is_written(self, plain):
        before = plain.read_bytes()
        for changes in (
            {"qwen3.context_length": 2**40},
            {"qwen3.rope.freq_base": "large"},
            {"tokenizer.ggml.scores": 1.0},
        ):
            with pytest.raises(yc.ConfigError, match=next(iter(changes))):
                rewrite(plain, {"qwen3.block_count": 3} | changes)
            assert plain.read_bytes() == before

    def test_a_disc_that_is_full_leaves_the_file_as_it_was(self, plain, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        before = plain.read_bytes()
        monkeypatch.setattr("yarncore.configs.containers.gguf_rewrite.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            yc.to_config(YARN, "gguf", path=plain)
        assert plain.read_bytes() == before
        assert [entry.name for entry in plain.parent.iterdir()] == ["model.gguf"]

    @pytest.mark.parametrize(("rope", "words"), [
        (yc.Rope(64, 1e6, yc.YaRN(4, 32768, truncate=False)), r"truncate=False .*always rounded.*pair \d+ turns"),
        (yc.Rope(64, 1e6, yc.YaRN(4, 32768, beta_fast=16.0)), r"beta_fast=16 and beta_slow=1"),
        (yc.Rope(64, 1e6, yc.Llama3(8.0, 8192)), "divisors of Llama3 in tensors"),
        (yc.Rope(64, 1e6, interleaved=True), "interleaved False in place of True"),
        (yc.Rope(64, 1e6, yc.DynamicYaRN(32768, max_factor=4)), "no dynamic method"),
    ], ids=repr)  # fmt: skip
    def test_what_llama_cpp_cannot_express(self, plain, rope, words):
        with pytest.raises(yc.ConfigError, match=words):
            yc.to_config(rope, "gguf", config=plain)

    def test_a_temperature_that_is_not_the_usual_one_is_written_where_llama_cpp_reads_it(self, plain):
        rope = yc.Rope(64, 1e6, yc.YaRN(4.0, 32768, attention_factor=1.0))
        written = yc.to_config(rope, "gguf", path=plain)
        assert written["qwen3.rope.scaling.attn_factor"] == pytest.approx(1 / 1.1386294361)
        assert yc.from_config(plain).at().attention_factor == pytest.approx(1, abs=1e-7)

    def test_without_a_file_it_says_what_is_needed(self):
        with pytest.raises(yc.ConfigError, match="the GGUF file that is to be changed"):
            yc.to_config(YARN, "gguf")


def test_json_is_written_whole_beside_the_result(tmp_path):
    path = tmp_path / "config.json"
    written = yc.to_config(YARN, path=path)
    assert yc.from_config(path) == YARN
    assert yc.from_config(written) == YARN
    with pytest.raises(yc.ConfigError, match="a folder"):
        yc.to_config(YARN, path=tmp_path)


def header(*, version=3, tensors=0, keys=0, body=b""):
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + body


def text(value):
    return struct.pack("<Q", len(value)) + value


def key(name, kind, value):
    return text(name) + struct.pack("<I", kind) + value


HOSTILE = {
    "empty": (b"", "not a GGUF file"),
    "another format": (b"PK\3\4" + bytes(40), "not a GGUF file"),
    "cut in the counts": (header()[:12], "cut off"),
    "version 1": (header(version=1), "version 1"),
    "big-endian": (header(version=3 << 24), "big-endian"),
    "more keys than bytes": (header(keys=2**40), "key-values; at most 0"),
    "more tensors than bytes": (header(tensors=2**63), "tensors; at most"),
    "a key longer than the file": (header(keys=1, body=struct.pack("<Q", 2**62) + bytes(20)), "a key of"),
    "a key that is no text": (header(keys=1, body=key(b"\xff\xfe", 4, bytes(4))), "not UTF-8"),
    "a type that is none": (header(keys=1, body=key(b"a", 99, bytes(4))), "type 99"),
    "the same key twice": (header(keys=2, body=key(b"a", 4, bytes(4)) * 2), "a second time"),
    "a string longer than the file": (header(keys=1, body=key(b"a", 8, struct.pack("<Q", 2**50))), "bytes; at most"),
    "numbers beyond the end": (header(keys=1, body=key(b"a", 9, struct.pack("<IQ", 4, 2**40))), "cut off"),
    "strings that cannot be there": (header(keys=1, body=key(b"a", 9, struct.pack("<IQ", 8, 2**60))), "cannot be there"),
    "a string within an array beyond the end": (
        header(keys=1, body=key(b"a", 9, struct.pack("<IQ", 8, 2) + text(b"x") + struct.pack("<Q", 2**63) + bytes(9))), "cut off",
    ),
    "arrays within arrays": (header(keys=1, body=key(b"a", 9, struct.pack("<IQ", 9, 1) * 50)), "at this depth"),
    "a tensor of many axes": (header(tensors=1, body=text(b"t") + struct.pack("<I", 2**31) + bytes(64)), "axes"),
    "an alignment of nothing": (header(keys=1, body=key(b"general.alignment", 4, bytes(4))), "alignment is 0"),
    "no architecture": (header(), "general.architecture is None"),
    "an architecture nobody knows": (header(keys=1, body=key(b"general.architecture", 8, text(b"nope"))), "'nope'"),
}  # fmt: skip


class TestHostileFiles:
    @pytest.mark.parametrize("what", HOSTILE)
    def test_is_a_config_error_that_says_what_is_wrong(self, what, tmp_path):
        raw, words = HOSTILE[what]
        path = tmp_path / "hostile.gguf"
        path.write_bytes(raw)
        with pytest.raises(yc.ConfigError, match=words) as caught:
            yc.from_config(path, format="gguf")
        assert str(path) in str(caught.value)

    def test_cut_anywhere_it_is_a_config_error(self, plain, tmp_path):
        raw = plain.read_bytes()
        end = read_header(plain).end
        cut = tmp_path / "cut.gguf"
        for length in range(end):
            cut.write_bytes(raw[:length])
            with pytest.raises(yc.ConfigError):
                yc.from_config(cut)

    def test_any_byte_changed_it_is_read_or_refused_and_nothing_else(self, plain, tmp_path):
        raw = bytearray(plain.read_bytes())
        end = read_header(plain).end
        generator = np.random.default_rng(5)
        path = tmp_path / "changed.gguf"
        outcomes = set()
        for _ in range(800):
            changed = bytearray(raw)
            for at in generator.integers(4, end, size=generator.integers(1, 4)):
                changed[at] = generator.integers(0, 256)
            path.write_bytes(changed)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    yc.from_config(path)
                outcomes.add("read")
            except yc.ConfigError:
                outcomes.add("refused")
        assert outcomes == {"read", "refused"}

    def test_the_size_of_the_data_does_not_matter(self, plain):
        os.truncate(plain, 2**40)  # sparse: a terabyte that takes no room
        assert yc.from_config(plain) == PLAIN  # reading it all would take hours
