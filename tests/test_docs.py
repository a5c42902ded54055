"""The documents are true: their code runs and prints what they say, and the paths they name exist."""

import re
import runpy

import pytest
from documents import PAGES, ROOT, examples, run_examples

TOP = {path.name for path in ROOT.iterdir()} - {"build", "dist"}
EXAMPLES = sorted((ROOT / "examples").glob("with_*.py"))


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=lambda page: page.name)
def test_the_code_of_a_page_runs_and_prints_what_it_says(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    run_examples(page)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_runs_and_rotates(file, monkeypatch):
    monkeypatch.chdir(ROOT)
    names = runpy.run_path(str(file))
    assert names["q2"].shape == names["q"].shape
    assert names["k2"].shape == names["k"].shape


def links_of(page):
    return re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())


def paths_of(page):
    """The words in code that begin with something of the checkout's root; <name> and * stand for any."""
    fence = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
    text = page.read_text()
    commands = [inside for _, language, inside in fence.findall(text) if language in ("", "sh", "text")]
    spans = re.findall(r"`([^`\n]+)`", fence.sub("", text))
    words = (word.strip("()[],:;'\"").partition("::")[0] for part in [*commands, *spans] for word in part.split())
    return {word for word in words if word.partition("/")[0] in TOP}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_exists(page):
    for link in links_of(page):
        assert (page.parent / link).exists(), link
    for path in paths_of(page):
        pattern = re.sub(r"<[^>]*>", "*", path).rstrip("/")
        assert any(ROOT.glob(pattern)), path


def test_the_table_of_frequencies_is_what_show_prints():
    from yarncore.reports.description import describe

    with pytest.warns(UserWarning, match="max_position_embeddings"):
        rows = describe(ROOT / "examples" / "configs" / "qwen2.5-7b-128k.json").pairs
    page = (ROOT / "docs" / "why.md").read_text()
    found = re.findall(r"^\| (\d+) \| ([\d.,]+) \| ([\d.,]+) \| (\w+) \| ([\d.]+) \|$", page, re.MULTILINE)
    assert len(found) == 7
    for pair, wavelength, turns, regime, multiplier in found:
        row = rows[int(pair)]
        assert float(wavelength.replace(",", "")) == pytest.approx(row.wavelength, rel=1e-3)
        assert float(turns.replace(",", "")) == pytest.approx(row.turns, rel=1e-3)
        assert regime == row.regime
        assert float(multiplier) == pytest.approx(row.multiplier, abs=1e-6)


def test_the_tree_of_the_contributors_page_names_every_room_and_the_top_floor():
    tree = re.search(r"```text\n(yarncore/.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)[1]
    package = ROOT / "yarncore"
    rooms = {path.name for path in package.iterdir() if (path / "__init__.py").exists()}
    assert rooms <= set(re.findall(r"(\w+)/", tree))
    floor = {path.stem for path in package.glob("*.py") if not path.name.startswith("_")}
    assert sorted(floor) == re.search(r"user may import: (.*)", tree)[1].split(", ")
