"""GGUF files that somebody made to do harm, or that broke: each is an error that names the place, and costs nothing."""

import os
import struct
import warnings

import numpy as np
import pytest
from gguf_files import header, key, text, write_model

import yarncore as yc
from yarncore.configs.containers.gguf_header import read_header

pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")


@pytest.fixture
def plain(tmp_path):
    return write_model(tmp_path / "model.gguf")


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
    "a string longer than the file": (header(keys=1, body=key(b"a", 8, struct.pack("<Q", 2**50))), "cut off: a needs"),
    "numbers beyond the end": (header(keys=1, body=key(b"a", 9, struct.pack("<IQ", 4, 2**40))), "cut off"),
    "strings that cannot be there": (header(keys=1, body=key(b"a", 9, struct.pack("<IQ", 8, 2**60))), "cannot be there"),
    "a string within an array beyond the end": (
        header(keys=1, body=key(b"a", 9, struct.pack("<IQ", 8, 2) + text(b"x") + struct.pack("<Q", 2**63) + bytes(9))), "cut off",
    ),
    "arrays within arrays": (header(keys=1, body=key(b"a", 9, struct.pack("<IQ", 9, 1) * 50)), "at this depth"),
    "a tensor of many axes": (header(tensors=1, body=text(b"t") + struct.pack("<I", 2**31) + bytes(64)), "axes"),
    "part of a split file": (
        header(keys=2, body=key(b"split.no", 2, b"\1\0") + key(b"split.count", 2, b"\3\0")), "part 1 .* of 3, and the first",
    ),
    "the same tensor twice": (
        header(tensors=2, body=(text(b"t") + struct.pack("<IQIQ", 1, 1, 0, 0)) * 2), "tensor 't' a second time",
    ),
    "version 99": (header(version=99), "version 99"),
    "a key of nothing but NUL": (header(keys=1, body=key(bytes(2000), 4, bytes(4))), "a key of 2000 bytes"),
    "an alignment of 3": (header(keys=1, body=key(b"general.alignment", 4, b"\3\0\0\0")), "alignment is 3"),
    "an alignment of 2^31": (header(keys=1, body=key(b"general.alignment", 4, b"\0\0\0\x80")), "alignment is 2147483648"),
    "an alignment that is text": (header(keys=1, body=key(b"general.alignment", 8, text(b"32"))), "alignment is '32'"),
    "an alignment of nothing": (header(keys=1, body=key(b"general.alignment", 4, bytes(4))), "alignment is 0"),
    "no architecture": (header(), "general.architecture is missing"),
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

    def test_what_is_long_is_passed_over(self, tmp_path):
        """A string of half a terabyte, which takes no room, and a million numbers that would be converted one by one."""
        path = tmp_path / "long.gguf"
        numbers = struct.pack("<IQ", 6, 2**14) + bytes(4 * 2**14)
        arrays = b"".join(key(b"%d" % i, 9, numbers) for i in range(64))
        with path.open("wb") as file:
            file.write(header(keys=66, body=arrays + key(b"template", 8, struct.pack("<Q", 2**39))))
            file.seek(2**39, os.SEEK_CUR)
            file.write(key(b"last", 4, b"\7\0\0\0"))
        entries = read_header(path).entries
        assert (entries["last"].value, entries["template"].value) == (7, None)
        assert sum(len(entry.value) for entry in entries.values() if isinstance(entry.value, list)) == 2**17

    @pytest.mark.parametrize(("kind", "count", "words"), [
        (9, 2**20, "1048576 elements"), (8, 2**22, "4194304 elements")], ids=["arrays", "strings"])  # fmt: skip
    def test_more_than_any_vocabulary_has_is_refused_before_it_is_read(self, kind, count, words, tmp_path):
        path = tmp_path / "many.gguf"
        path.write_bytes(header(keys=1, body=key(b"a", 9, struct.pack("<IQ", kind, count))))
        os.truncate(path, 2**30)
        with pytest.raises(yc.ConfigError, match=f"{words}; so many"):
            yc.from_config(path)

    def test_values_of_another_type_than_the_key_has_are_refused_by_name(self, tmp_path):
        path = tmp_path / "typed.gguf"
        start = key(b"general.architecture", 8, text(b"qwen3")) + key(b"qwen3.context_length", 4, b"\0\1\0\0")
        for name, wrong in (
            (b"qwen3.rope.freq_base", (8, text(b"1e6"))),
            (b"qwen3.rope.freq_base", (6, struct.pack("<f", np.nan))),
            (b"qwen3.rope.freq_base", (7, b"\1")),
            (b"qwen3.rope.scaling.factor", (9, struct.pack("<IQf", 6, 1, 4.0))),
            (b"qwen3.rope.scaling.type", (4, b"\1\0\0\0")),
            (b"qwen3.attention.key_length", (5, b"\xff\xff\xff\xff")),
            (b"qwen3.attention.head_count", (9, struct.pack("<IQf", 6, 1, 4.0))),
        ):
            needed = b"" if b"key_length" in name else key(b"qwen3.attention.key_length", 4, b"\x40\0\0\0")
            path.write_bytes(header(keys=3 + bool(needed), body=start + needed + key(name, *wrong)))
            with pytest.raises(yc.ConfigError, match=rf"typed\.gguf: {name.decode()}"):
                yc.from_config(path)

    def test_divisors_of_another_length_than_the_head_has_are_refused(self, tmp_path):
        for name in ("wrong.gguf", "huge.gguf"):
            divisors = np.ones(16 if name == "wrong.gguf" else 2**15, np.float32)
            path = write_model(tmp_path / name, architecture="llama", tensors=[("rope_freqs.weight", divisors)])
            with pytest.raises(yc.ConfigError, match=r"16 elements; 32 are expected|rope_freqs\.weight has 32768"):
                yc.from_config(path)

    def test_the_size_of_the_data_does_not_matter(self, plain):
        os.truncate(plain, 2**40)  # sparse: a terabyte that takes no room
        assert yc.from_config(plain) == yc.Rope(64, 1e6)  # reading it all would take hours
