"""GGUF files: read as the gguf package wrote them, changed without loss, and harmless where they lie."""

import threading

import gguf
import numpy as np
import pytest
from gguf_files import write_model

import yarncore as yc
from yarncore.configs.containers.gguf_header import read_header
from yarncore.configs.containers.gguf_rewrite import rewrite

PLAIN = yc.Rope(64, 1e6)
YARN = yc.Rope(64, 1e6, yc.YaRN(4.0, 32768))
pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")


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

    def test_a_file_that_does_not_tell_its_original_length_does_when_its_length_grows(self, plain):
        """llama.cpp takes context_length where nothing is told, and context_length becomes the length that is served."""
        rewrite(plain, {"qwen3.rope.scaling.type": "yarn", "qwen3.rope.scaling.factor": 4.0})
        assert yc.from_config(plain) == YARN
        written = yc.to_config(YARN, "gguf", path=plain)
        assert written["qwen3.rope.scaling.original_context_length"] == 32768
        assert yc.ropes_from_config(plain).advertised_length == 131072
        assert yc.from_config(plain) == YARN

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

    def test_of_writers_at_once_one_is_the_last_for_every_key(self, plain):
        """In place or by a copy: the factor of one and the length of another never stand together."""
        yc.to_config(YARN, "gguf", path=plain)
        factors = (2.0, 4.0, 8.0, 16.0)
        lengths = {factor: round(32768 * factor) for factor in factors}
        refused = []

        def write(factor):
            for _ in range(15):
                try:
                    rewrite(plain, {"qwen3.rope.scaling.factor": factor, "qwen3.context_length": lengths[factor]})
                except yc.ConfigError as error:  # another was quicker
                    refused.append(str(error))

        threads = [threading.Thread(target=write, args=(factor,)) for factor in factors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all("somebody else changed the file" in words for words in refused)
        ropes = yc.ropes_from_config(plain)
        assert ropes.advertised_length == lengths[ropes.one().scaling.factor]

    def test_a_file_that_changed_after_it_was_read_is_not_written_to(self, plain, monkeypatch):
        yc.to_config(YARN, "gguf", path=plain)
        header_before = read_header(plain)
        yc.to_config(PLAIN, "gguf", path=plain)
        before = plain.read_bytes()
        monkeypatch.setattr("yarncore.configs.containers.gguf_rewrite.read_header", lambda _: header_before)
        for changes in ({"qwen3.context_length": 7}, {"qwen3.new": 7}):
            with pytest.raises(yc.ConfigError, match="somebody else changed the file meanwhile"):
                rewrite(plain, changes)
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
