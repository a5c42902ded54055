"""Sources that somebody else made: whatever they hold, the answer is quick, bounded, an error that names the place, and fit to print."""

import contextlib
import json
import os
import pickle
import stat
import threading

import pytest
import transformers

import yarncore as yc
from yarncore.__main__ import main
from yarncore.configs.containers.bounded_file import open_regular

PLAIN = {
    "model_type": "llama",
    "hidden_size": 512,
    "num_attention_heads": 8,
    "rope_theta": 10000.0,
    "max_position_embeddings": 16384,
}


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(PLAIN))
    return path


@contextlib.contextmanager
def nobody():
    """Not as root, to whom nothing is denied."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


class TestPaths:
    def test_a_file_that_may_not_be_read(self, plain):
        plain.chmod(0)
        with nobody(), pytest.raises(PermissionError):
            open_regular(plain)
        plain.parent.chmod(0)
        with nobody(), pytest.raises(PermissionError):
            yc.from_config(plain)
        plain.parent.chmod(0o700)

    @pytest.mark.parametrize("name", ["config.json", "model.gguf", "config.yaml", "blob"])
    def test_a_pipe_is_never_waited_for(self, tmp_path, name):
        os.mkfifo(tmp_path / name)
        link = tmp_path / "link"
        link.symlink_to(tmp_path / name)
        for path in (tmp_path / name, link):
            with pytest.raises(yc.ConfigError, match="not a regular file"):
                yc.from_config(path)
        if name == "config.json":
            with pytest.raises(yc.ConfigError, match=r"config\.json: not a regular file"):
                yc.from_config(tmp_path)

    def test_a_pipe_that_takes_a_file_s_place_is_not_waited_for(self, plain, monkeypatch):
        was = plain.stat()
        plain.unlink()
        os.mkfifo(plain)
        monkeypatch.setattr(type(plain), "stat", lambda *_, **__: was)
        with pytest.raises(yc.ConfigError, match="not a regular file"):
            open_regular(plain)

    def test_a_folder_whose_config_is_a_link_to_itself(self, tmp_path):
        (tmp_path / "config.json").symlink_to("config.json")
        with pytest.raises((yc.ConfigError, OSError), match=r"config\.json"):
            yc.from_config(tmp_path)

    def test_a_home_is_not_filled_in_and_bytes_are_a_path(self, plain, monkeypatch):
        monkeypatch.setenv("HOME", str(plain.parent))
        with pytest.raises(FileNotFoundError):
            yc.from_config("~/config.json")
        assert yc.from_config(os.fsencode(plain)) == yc.Rope(64)
        odd = plain.parent / os.fsdecode(b"\xff.json")
        plain.rename(odd)
        assert yc.from_config(os.fsencode(odd)) == yc.from_config(odd) == yc.Rope(64)
        odd.write_text("[]")
        with pytest.raises(yc.ConfigError, match=r"\\udcff\.json: holds a list") as caught:
            yc.from_config(odd)
        str(caught.value).encode("utf-8")

    def test_a_path_longer_than_any(self):
        with pytest.raises(OSError, match="too long"):
            yc.from_config("x" * 100_000)

    def test_a_gguf_file_by_another_name_is_one(self, tmp_path):
        path = tmp_path / "blob"
        path.write_bytes(b"GGUF" + bytes(20))
        with pytest.raises(yc.ConfigError, match="version 0 of GGUF"):
            yc.from_config(path)

    def test_other_files_of_a_model_s_folder_are_not_asked(self, plain):
        """What auto_map and an index of shards name is neither opened nor run."""
        plain.write_text(json.dumps(PLAIN | {"auto_map": {"AutoConfig": "../../evil--run.Config"}}))
        (plain.parent / "run.py").write_text("raise SystemExit('run')")
        (plain.parent / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../etc/passwd"}}')
        assert yc.from_config(plain.parent) == yc.Rope(64)

    def test_a_pickle_is_not_opened_whatever_it_is_called(self, tmp_path):
        class Bomb:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "ran"),)

        for name in ("config.pkl", "config.json", "model.gguf", "pytorch_model.bin"):
            (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
            with pytest.raises(yc.ConfigError, match=name):
                yc.from_config(tmp_path / name)
        assert not (tmp_path / "ran").exists()


class TestDocuments:
    def test_a_gigabyte_is_refused_unread(self, plain):
        os.truncate(plain, 2**30)
        with pytest.raises(yc.ConfigError, match=r"config\.json: 1073741824 bytes or more; at most 8388608"):
            yc.from_config(plain)

    def test_another_file_of_a_model_s_folder_is_told_what_a_configuration_has(self, plain):
        """It had been a list of 40 keys and flags."""
        plain.write_text('{"tokenizer_class": "X"}')
        with pytest.raises(yc.ConfigError, match=r"a config\.json has one of model_type, .*rope_theta") as caught:
            yc.from_config(plain)
        assert "--hf-overrides" not in str(caught.value)

    def test_nothing_is_said_to_be_nothing(self, plain):
        plain.write_text(" \n")
        with pytest.raises(yc.ConfigError, match=r"config\.json: empty; a JSON object is expected"):
            yc.from_config(plain)

    def test_a_path_of_no_letters_is_not_the_folder_of_the_moment(self, plain, monkeypatch):
        """An empty variable of a shell had read whatever config.json was there."""
        monkeypatch.chdir(plain.parent)
        with pytest.raises(yc.ConfigError, match="source is ''"):
            yc.from_config("")

    def test_a_file_that_grows_or_hides_its_length_is_read_no_further_than_the_bound(self, plain, monkeypatch):
        """As files of /proc do, whose length is said to be 0."""
        empty = plain.parent / "empty"
        empty.touch()
        status = empty.stat()
        monkeypatch.setattr("yarncore.configs.source._LARGEST_FILE", 100)
        monkeypatch.setattr(type(plain), "stat", lambda *_, **__: status)
        with pytest.raises(yc.ConfigError, match="101 bytes or more; at most 100"):
            yc.from_config(plain)

    def test_one_key_twice_among_hundreds_of_thousands_is_found_at_once(self, plain):
        plain.write_text("{" + ",".join(f'"{i}":1' for i in range(200_000)) + ',"7":2}')
        with pytest.raises(yc.ConfigError, match="the key '7' appears twice"):  # comparing each with each takes hours
            yc.from_config(plain)

    @pytest.mark.parametrize("depth", [70, 900, 100_000])
    def test_what_is_nested_deeper_than_any_configuration(self, plain, depth):
        plain.write_text('{"a":' * depth + "1" + "}" * depth)
        with pytest.raises(yc.ConfigError, match="nested"):
            yc.from_config(plain)

    def test_a_dict_that_holds_itself(self):
        config = dict(PLAIN)
        config["text_config"] = config
        with pytest.raises(yc.ConfigError, match=r"config: text_config\.text_config.* nested more than 64 deep"):
            yc.from_config(config)

    def test_integers_that_python_refuses_to_show(self, plain):
        with pytest.raises(yc.ConfigError, match=r"config: rope_scaling\.factor is an integer of 16610 bits"):
            yc.from_config(PLAIN | {"rope_scaling": {"rope_type": "linear", "factor": 10**5000}})
        plain.write_text('{"rope_theta": ' + "9" * 4000 + "}")
        with pytest.raises(yc.ConfigError, match=r"config\.json: rope_theta is an integer of"):
            yc.from_config(plain)

    @pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
    def test_numbers_that_are_none(self, plain, literal):
        text = json.dumps(PLAIN | {"rope_scaling": {"rope_type": "linear", "factor": 7}})
        plain.write_text(text.replace("7}", literal + "}"))
        with pytest.raises(yc.ConfigError, match=r"config\.json: rope_scaling\.factor is (nan|-?inf)"):
            yc.from_config(plain)

    @pytest.mark.parametrize("key", ["rope_\ud800", "rope_\x1b[2J\x07", "rope_[/red]", "rope_\r\b"])
    @pytest.mark.parametrize("command", ["show {}", "doctor {}", "compare {} {}", "plan {} --to 65536"])
    def test_a_key_that_no_terminal_should_see_is_told_all_the_same(self, plain, key, command, capfd):
        plain.write_text(json.dumps(PLAIN | {key: 2.0}))
        with pytest.raises(yc.ConfigError, match=r"rope_.* is not understood") as caught:
            yc.from_config(plain)
        assert str(caught.value).isprintable()
        assert main(command.format(plain, plain).split()) in (0, 1, 2)
        told = capfd.readouterr()
        assert "Traceback" not in told.err
        assert not {"\x1b", "\x07", "\r", "\b"} & set(told.out + told.err)

    def test_a_layer_type_that_no_terminal_should_see(self, plain, capfd):
        dicts = {"[/bold]\x1b[2J": {"rope_theta": 1e4}, "full_attention": {"rope_theta": 1e6}}
        plain.write_text(json.dumps({"model_type": "gemma3_text", "head_dim": 64, "rope_parameters": dicts}))
        for command in ("show {}", "doctor {}", "compare {} {}", "plan {} --to 262144"):
            assert main(command.format(plain, plain).split()) in (0, 1, 2)
        assert "\x1b" not in "".join(capfd.readouterr())

    def test_a_value_of_a_million_characters_is_not_repeated_whole(self):
        with pytest.raises(yc.ConfigError, match=r"config: rope_theta is 'xxx.* is expected") as caught:
            yc.from_config(PLAIN | {"rope_theta": "x" * 1_000_000})
        assert len(str(caught.value)) < 5000


class TestWriting:
    ROPE = yc.Rope(64, scaling=yc.YaRN(4.0, 4096))

    def test_a_disc_that_is_full_leaves_the_file_as_it_was(self, plain, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        before = plain.read_bytes()
        monkeypatch.setattr("yarncore.configs.saving.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            yc.to_config(self.ROPE, config=plain, path=plain)
        assert plain.read_bytes() == before
        assert [entry.name for entry in plain.parent.iterdir()] == ["config.json"]

    def test_a_folder_that_may_not_be_written(self, plain):
        before = plain.read_bytes()
        plain.chmod(0o644)
        plain.parent.chmod(0o555)
        with nobody(), pytest.raises(PermissionError):
            yc.to_config(self.ROPE, config=PLAIN, path=plain)
        plain.parent.chmod(0o755)
        assert plain.read_bytes() == before

    def test_an_interrupt_before_the_end_leaves_the_file_as_it_was(self, plain, monkeypatch):
        def interrupted(*_):
            raise KeyboardInterrupt

        before = plain.read_bytes()
        monkeypatch.setattr("yarncore.configs.saving.Path.replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            yc.to_config(self.ROPE, config=plain, path=plain)
        assert plain.read_bytes() == before
        assert [entry.name for entry in plain.parent.iterdir()] == ["config.json"]

    def test_the_mode_of_the_file_stays_and_a_link_is_replaced(self, plain):
        plain.chmod(0o640)
        link = plain.parent / "link.json"
        link.symlink_to(plain)
        before = plain.read_bytes()
        yc.to_config(self.ROPE, config=plain, path=link)
        assert plain.read_bytes() == before
        assert yc.from_config(link) == self.ROPE
        assert not link.is_symlink()
        yc.to_config(self.ROPE, config=plain, path=plain)
        assert stat.S_IMODE(plain.stat().st_mode) == 0o640

    def test_of_many_writers_one_is_the_last_and_no_reader_sees_half(self, plain):
        ropes = [yc.Rope(64, scaling=yc.YaRN(float(s), 4096)) for s in range(2, 8)]
        allowed = {yc.Rope(64), *ropes}
        seen, failed = set(), []

        def write(rope):
            try:
                for _ in range(5):
                    yc.to_config(rope, config=PLAIN, path=plain)
            except Exception as error:
                failed.append(error)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("yarncore.configs.keys.warnings.warn", lambda *_, **__: None)
            threads = [threading.Thread(target=write, args=(rope,)) for rope in ropes]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                seen.add(yc.from_config(plain))
            for thread in threads:
                thread.join()
        assert not failed
        assert seen <= allowed
        assert yc.from_config(plain) in ropes
        assert [entry.name for entry in plain.parent.iterdir()] == ["config.json"]


class TestObjectsOfTransformers:
    def test_a_configuration_without_rotation(self):
        with pytest.raises(yc.ConfigError, match=r"(?i)bert"):
            yc.from_config(transformers.BertConfig())

    def test_a_configuration_that_was_changed_is_read_as_it_is_now(self):
        config = transformers.LlamaConfig(hidden_size=512, num_attention_heads=8)
        config.rope_parameters["rope_theta"] = 5e5
        assert yc.from_config(config) == yc.Rope(64, 5e5)
        config.rope_parameters |= {"rope_type": "yarn", "factor": "4", "original_max_position_embeddings": 2048}
        with pytest.raises(yc.ConfigError, match=r"LlamaConfig: rope_parameters\.factor is '4'"):
            yc.from_config(config)

    def test_an_old_one_has_rope_theta_and_rope_scaling_of_its_own(self):
        class LlamaConfig:
            model_type = "llama"

            def to_dict(self):
                yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}
                return PLAIN | {"rope_scaling": yarn}

        assert yc.from_config(LlamaConfig()) == yc.Rope(64, scaling=yc.YaRN(4.0, 4096))

    def test_a_model_is_asked_for_its_configuration(self):
        model = transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                hidden_size=32, num_attention_heads=2, num_hidden_layers=1, vocab_size=8, intermediate_size=8
            )
        )
        with pytest.raises(yc.ConfigError, match=r"LlamaForCausalLM.*model\.config"):
            yc.from_config(model)
        assert yc.from_config(model.config) == yc.Rope(16)
