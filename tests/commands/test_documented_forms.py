"""What --json prints has the keys that the document says, and says what the text says."""

import json
import re
from pathlib import Path

import pytest

from yarncore.__main__ import main

ROOT = Path(__file__).parents[2]
YI, GPT_OSS = (f"examples/configs/{name}.json" for name in ("yi-6b-200k", "gpt-oss-20b"))
TABLE = "examples/tables/gpt-oss-20b.json"
CALLS = {
    "show": f"show {GPT_OSS}",
    "doctor": f"doctor {GPT_OSS} --engine vllm",
    "plan": f"plan {YI} --to 400000 --lengths 1000:9 400000:1",
    "compare": f"compare {YI} yarn:2",
    "plot": f"plot ramp {GPT_OSS} --out OUT/ramp.svg",
    "identify": f"identify {TABLE}",
    "verify": f"verify {TABLE} {GPT_OSS} --layer-type full_attention",
    "error": "show absent.json",
}


def documented():
    rows = re.findall(r"^\| `(\w+)` (\d+) \| (.*) \|$", (ROOT / "docs" / "commands.md").read_text(), re.MULTILINE)
    return {name: (version, re.findall(r"`(\w+)`", keys)) for name, version, keys in rows}


@pytest.mark.parametrize("name", CALLS)
def test_a_document_has_the_keys_that_are_documented(name, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(ROOT)
    version, keys = documented()[name]
    main([*CALLS[name].replace("OUT", str(tmp_path)).split(), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found.pop("schema") == f"yarncore/{name}/{version}"
    assert [*found, *(found["rows"][0] if name == "doctor" else ())] == keys


def test_every_form_is_documented():
    from yarncore.reports.machine_readable import _VERSIONS

    assert {name: str(version) for name, version in _VERSIONS.items() if name != "evaluate"} == {
        name: version for name, (version, _) in documented().items()
    }


@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
@pytest.mark.parametrize("file", sorted((ROOT / "examples" / "configs").glob("*.json")), ids=lambda file: file.stem)
def test_the_text_says_the_numbers_of_the_document(file, capsys):
    def both(*arguments):
        main([*arguments, "--json"])
        document = json.loads(capsys.readouterr().out)
        main(list(arguments))
        return document, " ".join(capsys.readouterr().out.split())

    found, text = both("show", str(file))
    assert f"attention factor {found['attention_factor']:.10g}".rstrip("0") in text
    assert found["rotation_id"] in text and f"L (original) {found['original_length']:,} tokens" in text
    assert text.count(" interpolated ") == [pair["regime"] for pair in found["pairs"]].count("interpolated")
    found, text = both("doctor", str(file))
    for row in found["rows"]:
        for factor in row["attention_factor"].values() if row["decides"] else ():
            assert f"factor of cos and sin {factor:.6g}," in text
    found, text = both("plan", str(file), "--to", "65536")
    assert f"s {found['factor']:.10g}, the smallest sufficient is {found['smallest_factor']:.10g}" in text
    assert f"L (original) {found['original_length']:,} tokens" in text
