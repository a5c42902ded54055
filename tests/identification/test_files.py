"""Files of tables, and the two commands."""

import io
import json
import pickle
import re
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import yarncore as yc
from yarncore.__main__ import main
from yarncore.identification.files import load_table

ROPE = yc.Rope(64, 1e4, yc.YaRN(16.0, 4096))
THETA = ROPE.inverse_frequencies.astype(np.float32)
COS, SIN = ROPE.cos_sin(np.arange(32), dtype=np.float32)


def saved(folder):
    np.save(folder / "theta.npy", THETA)
    np.savez(folder / "tables.npz", cos=COS, sin=SIN)
    np.savez_compressed(folder / "named.npz", a_cos=COS, a_sin=SIN, weight=np.ones(3))
    (folder / "list.json").write_text(json.dumps(THETA.tolist()))
    (folder / "object.json").write_text(json.dumps({"inv_freq": THETA.tolist(), "note": "x"}))
    save_file(
        {"model.rotary_emb.inv_freq": torch.tensor(THETA).bfloat16(), "model.norm": torch.ones(3)},
        folder / "m.safetensors",
    )
    return folder


@pytest.mark.parametrize(
    ("name", "key"),
    [("theta.npy", None), ("tables.npz", None), ("named.npz", "a_cos,a_sin"), ("list.json", None), ("object.json", None),
     ("m.safetensors", None), ("m.safetensors", "model.rotary_emb.inv_freq")],
)  # fmt: skip
def test_a_table_in_a_file_is_identified(name, key, tmp_path, capsys):
    path = saved(tmp_path) / name
    assert yc.identify(load_table(str(path), key)).rope == ROPE
    arguments = ["identify", str(path), "--json", *(["--key", key] if key else [])]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["method"]) == ("yarncore/identify/1", "YaRN")


def test_a_pipe_is_known_by_its_first_bytes(tmp_path, monkeypatch, capsys):
    for name in ("theta.npy", "tables.npz", "list.json", "m.safetensors"):
        raw = (saved(tmp_path) / name).read_bytes()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
        assert main(["identify", "-"]) == 0
        assert "YaRN(factor=16.0, original_length=4096)" in capsys.readouterr().out


def test_exit_statuses_tell_known_from_unknown_and_match_from_mismatch(tmp_path, capsys):
    folder = saved(tmp_path)
    (folder / "config.json").write_text(json.dumps({
        "model_type": "llama", "hidden_size": 256, "num_attention_heads": 4, "num_hidden_layers": 1, "max_position_embeddings": 65536,
        "rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 16.0, "original_max_position_embeddings": 4096},
    }))  # fmt: skip
    np.save(folder / "odd.npy", THETA * np.linspace(1, 2, 32) ** 3)
    np.savez(folder / "later.npz", cos=ROPE.cos_sin(np.arange(500, 532))[0], sin=ROPE.cos_sin(np.arange(500, 532))[1])
    config = str(folder / "config.json")
    assert main(["identify", str(folder / "odd.npy")]) == 1
    assert main(["verify", str(folder / "theta.npy"), config]) == 0
    assert main(["verify", str(folder / "later.npz"), config, "--first-position", "500"]) == 0
    assert main(["verify", str(folder / "later.npz"), config]) == 1
    assert main(["verify", str(folder / "odd.npy"), config, "--json"]) == 1
    assert '"schema": "yarncore/verify/1"' in capsys.readouterr().out
    assert main(["identify", str(folder / "odd.npy"), "--method", "LongRoPE"]) == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "neither .npy, .npz, safetensors nor JSON"),
        (b"\x93NUMPY\x01\x00", ""),
        (b"PK\x03\x04abc", ""),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f{}", "safetensors"),
        (b"[" * 100_000, "nested too deeply|Exceeds|JSON"),
        (b'{"a": [1, 2], "b": [3, 4]}', "'a', 'b'; choose with --key"),
        (b'["a", "b"]', "holds no numbers"),
        (b"[[1], [1, 2]]", "different lengths"),
        (b"[NaN, 1]", "not finite"),
        (b"null", "holds no numbers"),
    ],
)
def test_what_holds_no_table_is_told_with_exit_status_2(content, words, tmp_path, capsys):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert main(["identify", str(path)]) == 2
    assert re.search(words, capsys.readouterr().err.replace("\n", " "))


def test_nothing_is_unpickled(tmp_path, capsys):
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert main(["identify", str(tmp_path / "objects.npy")]) == 2
    assert "allow_pickle=False" in capsys.readouterr().err
    assert main(["identify", str(tmp_path)]) == 2
    assert main(["identify", str(tmp_path / "absent.npy")]) == 2


def npy(shape, description="'<f4'", data=b""):
    header = f"{{'descr': {description}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy("(1000000000000,)"), "4000000000000 bytes, and 0 are there"),
        (npy("(4611686018427387904, 4)", data=bytes(64)), "and 64 are there"),
        (npy("(2,)", "'<V1000000000'", bytes(64)), "and 64 are there"),
        (npy("(-4,)", data=bytes(64)), "-16 bytes, and 64 are there"),
        (npy("__import__('os').abort()"), "malformed|Cannot parse"),
        (npy("(1,)", "'|O'", pickle.dumps([1])), "allow_pickle=False"),
        ((10).to_bytes(8, "little") + b'{"a":"b"} ', "safetensors|holds no"),
        ((2).to_bytes(8, "little") + b"{}", "holds no arrays of numbers"),
        (b"{}", "holds no arrays of numbers"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_a_header_claims_is_neither_allocated_nor_run(content, words, packed, tmp_path, capsys):
    path = tmp_path / "file"
    path.write_bytes(content)
    if packed and content.startswith(b"\x93"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", content)
    assert main(["identify", str(path)]) == 2
    assert re.search(words, capsys.readouterr().err)
