"""A model's name on the hub: found in the local cache, downloaded only when asked for."""

import json

import huggingface_hub
import pytest

import yarncore as yc
from yarncore.__main__ import main

CONFIG = {
    "model_type": "llama",
    "hidden_size": 512,
    "num_attention_heads": 8,
    "rope_theta": 10000.0,
    "max_position_embeddings": 4096,
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the hub with one model in it."""
    repository = tmp_path / "models--owner--model"
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    (snapshot / "config.json").write_text(json.dumps(CONFIG))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_a_name_is_looked_up_in_the_local_cache(cache):
    assert yc.from_config("owner/model") == yc.Rope(64)
    assert yc.from_config(["vllm", "serve", "owner/model"]) == yc.Rope(64)


def test_what_is_not_in_the_cache_is_not_downloaded(cache, monkeypatch):
    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", never)
    for name in ("owner/other", "owner/model/extra", "https://huggingface.co/owner/model", "../owner/model"):
        with pytest.raises(FileNotFoundError, match="nothing is downloaded"):
            yc.from_config(name)


def test_a_download_is_asked_for_by_its_own_flag_and_is_of_the_configuration_alone(cache, monkeypatch, capsys):
    asked = []

    def give(name, file):
        asked.append((name, file))
        return str(next((cache / "models--owner--model").rglob("config.json")))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", give)
    assert main(["doctor", "new/model", "--download"]) == 0
    assert asked == [("new/model", "config.json")]
    assert "plain RoPE" in capsys.readouterr().out


def test_what_the_hub_refuses_is_an_error_of_one_line(monkeypatch, capsys):
    def refuse(*_):
        raise OSError("401\n\nUnauthorized")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    assert main(["doctor", "new/model", "--download"]) == 2
    assert "the hub does not give its config.json: 401 Unauthorized" in capsys.readouterr().err
    assert main(["doctor", "not a name", "--download"]) == 2


def test_without_huggingface_hub_a_name_is_no_path(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(FileNotFoundError):
        yc.from_config("owner/model")
