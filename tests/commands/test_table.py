"""The table of commands: every file of the room is a row, its help has examples that run, exit statuses are shared."""

import json
import os
import pty
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path

import pytest
from tiny_models import save_tiny

import yarncore.commands
from yarncore import __main__ as table

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in Path(yarncore.commands.__path__[0]).glob("*.py"))


def test_every_file_is_a_row():
    assert list(table.COMMANDS) == [name for name in NAMES if name not in ("__init__", "command")]


# A small model is evaluated twice: tests/evaluate does so once, in less time.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.whole if name == "evaluate" else ()) for name in table.COMMANDS]
)
def test_the_examples_of_its_help_run(name, capsys, tmp_path):
    """In a folder that looks like the checkout, with a small model where an example says MODEL_FOLDER."""
    for path in ROOT.iterdir():
        (tmp_path / path.name).symlink_to(path)
    with pytest.raises(SystemExit) as caught:
        table.main([name, "--help"])
    assert caught.value.code == 0
    examples = re.findall(r"^  (yarncore .*)$", capsys.readouterr().out, re.MULTILINE)
    assert examples
    if any("MODEL_FOLDER" in example for example in examples):
        save_tiny(tmp_path / "MODEL_FOLDER")
    for example in examples:
        line = example.replace("yarncore", f"{shlex.quote(sys.executable)} -m yarncore", 1)
        subprocess.run(line, shell=True, cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize("name", table.COMMANDS)
def test_every_command_speaks_to_machines_and_shows_tracebacks(name, capsys):
    with pytest.raises(SystemExit):
        table.main([name, "--help"])
    told = capsys.readouterr().out
    assert "--json" in told and "--debug" in told


def test_help_lists_the_commands_and_the_exit_statuses(capsys):
    with pytest.raises(SystemExit) as caught:
        table.main(["--help"])
    told = capsys.readouterr().out
    assert caught.value.code == 0
    assert "exit status: 0" in told
    for name in table.COMMANDS:
        assert f"    {name} " in told and table.load_command(name).SUMMARY.split()[0] in told


def failing(raised):
    def run(options, console):
        raise raised

    return types.SimpleNamespace(SUMMARY="fails", add_arguments=lambda parser: parser.add_argument("source"), run=run)


def test_an_interruption_while_commands_are_loaded_is_no_traceback(monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(table, "load_command", interrupted)
    assert table.main(["show", "x"]) == 130


def status_of(line, **options):
    """What a shell does with a command line of yarncore."""
    return subprocess.run(
        ["bash", "-c", line.replace("yarncore", f"{shlex.quote(sys.executable)} -m yarncore")],
        capture_output=True, text=True, cwd=ROOT, **options,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["show", "compare", "show --json"])
def test_a_reader_that_goes_away_is_no_finding(command):
    """rich had ended the process with status 1, that of findings."""
    word, _, flag = command.partition(" ")
    config = "examples/configs/llama-3.1-8b.json"
    second = "plain" if word == "compare" else ""
    done = status_of(f"yarncore {word} {config} {second} {flag} | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_cannot_be_written_is_an_error():
    done = status_of(
        "yarncore compare examples/configs/llama-3.1-8b.json examples/configs/llama-3.1-8b.json > /dev/full"
    )
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith("yarncore: [Errno 28]")


def test_a_closed_standard_input_is_told():
    done = status_of("yarncore show - <&-")
    assert (done.returncode, done.stderr) == (
        2,
        "yarncore: standard input: it is closed; a configuration is expected\n",
    )


def test_a_terminal_of_no_columns_is_not_shown_nothing(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "0")
    assert table.main(["show", str(ROOT / "examples" / "configs" / "llama-3.1-8b.json")]) == 0
    assert "llama" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (["show", "absent.json"], "FileNotFoundError", "absent.json"),
        (["show", "x", "--lenght", "5"], "wrong call", 'did you mean "--length"?'),
        (["shwo", "x"], "wrong call", 'did you mean "show"?'),
        (["doctor"], "wrong call", "required: source"),
    ],
)
def test_machines_are_told_of_errors_too(arguments, kind, words, capsys):
    try:
        status = table.main([*arguments, "--json"])
    except SystemExit as ended:
        status = ended.code
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert (status, told["schema"], told["kind"]) == (2, "yarncore/error/1", kind)
    assert words in told["message"] and told["message"] in printed.err


@pytest.mark.parametrize(
    ("raised", "status"),
    [(KeyboardInterrupt(), 130), (OSError("gone"), 2), (ValueError("[x] :a:"), 2), (OverflowError("too large"), 2)],
)
def test_what_a_command_raises_is_an_exit_status(raised, status, monkeypatch, capsys):
    monkeypatch.setattr(table, "COMMANDS", ("fail",))
    monkeypatch.setattr(table, "load_command", lambda name: failing(raised))
    assert table.main(["fail", "source"]) == status
    told = capsys.readouterr().err
    if isinstance(raised, OverflowError):
        assert told.startswith("yarncore: a number is too large or too small to compute with (too large)")
    else:
        assert told == (f"yarncore: {raised}\n" if status == 2 else "")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            ["shwo", "x"],
            "'shwo' is no command; one of compare, doctor, evaluate, identify, plan, plot, show, verify is expected; did you mean \"show\"?",
        ),
        (["xyzzy"], "verify is expected\n"),
        (["show", "x", "--lenght", "5"], '--lenght is not understood; did you mean "--length"?'),
        (["show", "x", "--lenght=5"], '--lenght=5 is not understood; did you mean "--length"?'),
        (["show", "x", "--leng", "5"], '--leng is not understood; did you mean "--length"?'),  # no beginnings of words
        (["show", "x", "y"], "y is not understood"),
        (["--verbose", "show", "x"], "--verbose is not understood"),
    ],
)
def test_a_mistyped_word_is_named_with_the_one_that_was_meant(typed, said, capsys):
    with pytest.raises(SystemExit) as caught:
        table.main(typed)
    assert caught.value.code == 2
    output, errors = capsys.readouterr()
    assert output == "" and said in errors


def test_mistyped_names_of_formats_and_engines_are_named_too(capsys):
    config = str(ROOT / "examples" / "configs" / "gpt-oss-20b.json")
    assert table.main(["doctor", config, "--engine", "vlm"]) == 2
    assert 'did you mean "vllm"?' in capsys.readouterr().err
    assert table.main(["doctor", config, "--format", "hugingface"]) == 2
    assert 'did you mean "huggingface"?' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("show examples/configs/qwen2.5-7b-128.json", 'did you mean "examples/configs/qwen2.5-7b-128k.json"?'),
        ("show examples/config/gpt-oss-20b.json", 'did you mean "examples/configs/gpt-oss-20b.json"?'),
        ("compare examples/configs/yi-6b-200k.json yran:4", 'no scaling of that name; did you mean "yarn"?'),
        ("plot ramp examples/configs/yi-6b-200k.json --scaling yran:4", 'did you mean "yarn"?'),
        ("plot ramp examples/configs/yi-6b-200k.json --scaling yarn:4,bta_fast=2", 'did you mean "beta_fast"?'),
    ],
)
def test_mistyped_paths_and_scalings_are_named_too(arguments, said, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert table.main(arguments.split()) == 2
    assert said in capsys.readouterr().err


def test_a_path_that_nothing_is_like_is_not_guessed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for path in ("absent.json", "owner/model", "/nonexistent/a/b", "a/" * 3000):
        assert table.main(["show", path]) == 2
        assert "did you mean" not in capsys.readouterr().err


def test_without_a_command_the_help_is_shown_and_the_call_is_wrong(capsys):
    with pytest.raises(SystemExit) as caught:
        table.main([])
    assert caught.value.code == 2
    assert "exit status" in capsys.readouterr().err


def shown(tmp_path, **environment):
    """What a terminal gets."""
    ours, theirs = pty.openpty()
    line = [sys.executable, "-m", "yarncore", "show", "examples/configs/gpt-oss-20b.json"]
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        line, stdout=theirs, stderr=theirs, cwd=ROOT, env=kept | {"TERM": "xterm-256color"} | environment
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the terminal was closed
            break
        if not part:
            break
        seen += part
    os.close(ours)
    assert process.wait() == 0
    return seen.decode()


@pytest.mark.parametrize("columns", ["20", "120"])
def test_a_terminal_without_the_letters_is_shown_what_it_can(columns):
    """rich cuts cells with an ellipsis, whatever the encoding: that had been an error in ASCII."""
    line = [sys.executable, "-m", "yarncore", "show", str(ROOT / "examples" / "configs" / "llama-3.1-8b.json")]
    kept = os.environ | {"PYTHONIOENCODING": "ascii", "COLUMNS": columns}
    shown = subprocess.run(line, capture_output=True, env=kept, cwd=ROOT, check=True)
    assert shown.stdout.isascii()
    assert b"llama" in shown.stdout


def test_colours_are_for_terminals_and_no_color_turns_them_off(tmp_path):
    coloured = re.compile(r"\x1b\[[0-9;]*3[1-7]m")
    assert coloured.search(shown(tmp_path))
    assert not coloured.search(shown(tmp_path, NO_COLOR="1"))


def test_a_configuration_may_come_from_standard_input():
    config = (ROOT / "examples" / "configs" / "llama-3.1-8b.json").read_bytes()
    for name in ("show", "doctor"):
        line = [sys.executable, "-m", "yarncore", name, "-", "--json"]
        answer = json.loads(subprocess.run(line, input=config, capture_output=True, cwd=ROOT, check=True).stdout)
        assert answer["schema"] == f"yarncore/{name}/1"


def test_importing_the_table_loads_nothing_that_the_command_line_needs():
    code = (
        "import sys, yarncore.__main__; print(sorted({'rich', 'mpmath', 'yarncore.commands.show'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout == "[]\n"


def test_one_command_does_not_load_what_another_needs():
    code = """
import sys
from yarncore.__main__ import main
main(["doctor", "examples/configs/gpt-oss-20b.json", "--json"])
print(sorted({"mpmath", "torch", "matplotlib", "yarncore.evaluate", "yarncore.commands.show"} & set(sys.modules)))
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert printed.splitlines()[-1] == "[]"


def test_numbers_that_json_has_no_word_for_are_null(capsys, tmp_path):
    """Without any length the turns within L are not known: NaN is no JSON."""
    path = tmp_path / "config.json"
    path.write_text('{"head_dim": 8, "num_attention_heads": 4, "rope_theta": 1e4}')
    assert table.main(["show", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=lambda word: pytest.fail(word))
    assert told["pairs"][0]["turns"] is None


@pytest.mark.parametrize("words", [
    "FILE --engine vllm sglang", "FILE --engine vllm --engine sglang", "--engine vllm sglang FILE",
    "--engine vllm --engine sglang FILE",
])  # fmt: skip
def test_engines_are_named_one_by_one_or_together(words, capsys):
    file = str(ROOT / "examples" / "configs" / "gpt-oss-20b.json")
    assert table.main(["doctor", *words.replace("FILE", file).split(), "--json"]) in (0, 1)
    found = json.loads(capsys.readouterr().out)
    assert [row["engine"] for row in found["rows"] if row["decides"]][-2:] == ["vllm", "sglang"]


def test_a_doctor_without_a_configuration_asks_for_one(capsys):
    with pytest.raises(SystemExit) as caught:
        table.main(["doctor", "--engine", "vllm"])
    assert caught.value.code == 2
    assert "required: source" in capsys.readouterr().err
