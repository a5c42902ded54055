"""Pictures: what they show is computed from the numbers, without colour, and the same picture is the same file."""

import importlib.util
import json
import re
from pathlib import Path

import matplotlib
import mpmath
import numpy as np
import pytest
from PIL import Image

import yarncore as yc
from yarncore.__main__ import main
from yarncore.pictures import decay, exactness
from yarncore.pictures.drawn import Drawn
from yarncore.reports.plotting import KINDS

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "examples" / "configs" / "llama-2-7b-yarn-64k.json"
ROPE = yc.Rope(128, scaling=yc.YaRN(16.0, 4096))
OTHERS = ["pi:16", "ntk:16", "yarn:16,ramp=rotations", "yarn:32", "yarn:8", "yarn:4"]


def lines(figure):
    (axis,) = figure.axes
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}


def others(kind):
    return [] if kind in ("wavelengths", "exactness") else OTHERS


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_it_has_no_colour(self, kind, tmp_path):
        yc.plot(kind, CONFIG, others(kind), path=tmp_path / "picture.png")
        pixels = np.asarray(Image.open(tmp_path / "picture.png").convert("RGB")).astype(int)
        assert np.all(pixels.max(axis=-1) == pixels.min(axis=-1))
        assert pixels.min() == 0

    def test_no_two_lines_are_told_apart_by_their_grey_alone(self, kind):
        drawn = lines(yc.plot(kind, CONFIG, others(kind)))
        looks = {(repr(line.get_linestyle()), line.get_marker(), repr(line._dash_pattern)) for line in drawn.values()}
        assert (
            len(looks)
            == len(drawn)
            == (1 + len(others(kind)) if others(kind) else {"wavelengths": 2, "exactness": 3}[kind])
        )

    def test_the_same_picture_is_the_same_svg_without_a_date(self, kind, tmp_path):
        first, second = tmp_path / "a" / "x.svg", tmp_path / "b" / "x.svg"
        for path in (first, second):
            yc.plot(kind, CONFIG, others(kind), path=path)
        assert first.read_bytes() == second.read_bytes()
        assert "<dc:date>" not in first.read_text()

    def test_the_command_writes_it(self, kind, tmp_path, capsys):
        out = tmp_path / "picture.svg"
        assert main(["plot", kind, str(CONFIG), "--out", str(out), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"schema": "yarncore/plot/1", "kind": kind, "files": [str(out)]}
        assert out.read_text().startswith("<?xml")

    @pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
    def test_every_published_file_is_drawn_or_has_no_ramp(self, kind):
        for path in sorted(CONFIG.parent.glob("*.json")):
            if kind == "ramp" and path.stem == "yi-6b-200k":
                with pytest.raises(ValueError, match="no s above 1"):
                    yc.plot(kind, path)
            else:
                assert yc.plot(kind, path).axes


def test_wavelengths_are_two_pi_over_the_frequencies():
    drawn = lines(yc.plot("wavelengths", ROPE))
    before = 2 * np.pi * 10000.0 ** (np.arange(64) / 64)
    assert drawn["as trained"].get_ydata() == pytest.approx(before)
    assert drawn["YaRN, s = 16"].get_ydata()[:21] == pytest.approx(before[:21])
    assert drawn["YaRN, s = 16"].get_ydata()[46:] == pytest.approx(16 * before[46:])


def test_its_words_name_the_pairs_of_each_regime():
    (axis,) = yc.plot("wavelengths", ROPE).axes
    words = " ".join(text.get_text() for text in axis.texts)
    for regime in (
        "kept\npairs 0 to 20",
        "blended\npairs 21 to 45",
        "interpolated\npairs 46 to 63",
        "4,096 tokens",
        "65,536 tokens",
    ):
        assert regime in words


def words_in(figure):
    (axis,) = figure.axes
    return [text.get_text() for text in axis.texts]


def test_the_ramp_marks_the_bounds_of_what_is_drawn():
    """Those of YaRN had stood in the picture of Llama 3's, which lies between 1 and 4 turns."""
    assert words_in(yc.plot("ramp", ROPE)) == ["1 turn", "32 turns"]
    assert words_in(yc.plot("ramp", CONFIG.with_name("llama-3.1-8b.json"))) == ["1 turn", "4 turns"]
    both = yc.plot("ramp", ROPE, ["yarn:16,beta_slow=0.5,beta_fast=16"])
    assert words_in(both) == ["0.5 turns", "1 turn", "16 turns", "32 turns"]


def test_the_target_is_what_the_model_advertises_as_for_show():
    """Llama 3.1 reads 131,072 tokens; its scaling's s times L is 65,536."""
    words = words_in(yc.plot("wavelengths", CONFIG.with_name("llama-3.1-8b.json")))
    assert "target length, 131,072 tokens" in words


@pytest.mark.parametrize("s", [1.01, 1.5, 16.0])
def test_words_of_close_lengths_do_not_overlap(s):
    figure = yc.plot("wavelengths", yc.Rope(128, scaling=yc.YaRN(s, 4096)))
    figure.draw_without_rendering()
    (axis,) = figure.axes
    one, other = (text.get_window_extent() for text in axis.texts if "length" in text.get_text())
    assert not one.overlaps(other)


def test_a_picture_that_cannot_be_drawn_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "picture.PNG"  # as some systems write it
    yc.plot("ramp", ROPE, path=path)
    kept = path.read_bytes()
    assert kept.startswith(b"\x89PNG")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        yc.plot("ramp", ROPE, path=path)
    assert path.read_bytes() == kept


def test_names_of_files_may_be_no_text(tmp_path, capsys):
    path = tmp_path / "a\udcff.svg"
    assert main(["plot", "ramp", str(CONFIG), "--out", str(path)]) == 0
    assert path.stat().st_size > 1000
    assert main(["plot", "ramp", str(CONFIG), "--out", ""]) == 2
    assert "path is '.'" in capsys.readouterr().err


def test_the_ramp_is_linear_in_the_pair_for_the_code_and_in_the_turns_for_the_paper():
    drawn = lines(yc.plot("ramp", ROPE, ["yarn:16,ramp=rotations"]))
    turns, weight = drawn["YaRN, s = 16"].get_data()
    assert turns == pytest.approx(4096 / (2 * np.pi) * 10000.0 ** (-np.arange(64) / 64))
    assert weight == pytest.approx(1 - np.clip((np.arange(64) - 20) / 26, 0, 1), abs=1e-12)
    turns, weight = drawn["YaRN, s = 16, ramp = rotations"].get_data()
    assert weight == pytest.approx(np.clip((np.asarray(turns) - 1) / 31, 0, 1), abs=1e-12)


def test_multipliers_of_position_interpolation_and_ntk_aware_are_their_formulas():
    drawn = lines(yc.plot("multipliers", ROPE, ["pi:16", "ntk:16"]))
    assert drawn["PositionInterpolation, s = 16"].get_ydata() == pytest.approx(np.full(64, 1 / 16))
    assert drawn["NTKAware, s = 16"].get_ydata() == pytest.approx(16.0 ** (-np.arange(64) / 63))


def test_the_bound_is_that_of_the_partial_sums_and_bounds_scores():
    theta = 10000.0 ** (-np.arange(8) / 8)
    distances = np.array([0, 1, 100])
    with mpmath.workdps(30):
        for distance, found in zip(distances.tolist(), decay.bound(theta, distances), strict=True):
            sums = [abs(sum(mpmath.expj(distance * float(t)) for t in theta[:j])) for j in range(1, 9)]
            assert found == pytest.approx(float(sum(sums) / 36), rel=1e-12)
    # Abel's sum: |sum h_i exp(i d theta_i)| <= max |h_(i+1) - h_i| * sum |S_i|, with h_n = 0.
    h = np.random.default_rng(0).standard_normal(8)
    score = np.abs(np.exp(1j * distances[:, None] * theta) @ h)
    assert np.all(score <= np.abs(np.diff([*h, 0.0])).max() * 36 * decay.bound(theta, distances) * (1 + 1e-12))


def test_errors_of_phases_are_those_against_fifty_digits():
    worst = exactness.errors(Drawn("YaRN", ROPE, 4096, 65536))
    positions = exactness.sampled_positions()
    theta = ROPE.at().inverse_frequencies
    octave = 16
    with mpmath.workdps(50):
        exact = np.array([[float(mpmath.cos(mpmath.mpf(float(t)) * int(p))) for t in theta] for p in positions[octave]])
        exact_sin = np.array(
            [[float(mpmath.sin(mpmath.mpf(float(t)) * int(p))) for t in theta] for p in positions[octave]]
        )
    angles = positions[octave].astype(np.float32)[:, None] * theta.astype(np.float32)
    usual = max(np.abs(np.cos(angles) - exact).max(), np.abs(np.sin(angles) - exact_sin).max())
    # theta as float64 differs from the turns by 2^-53: 1e-11 at these positions, below the float32 errors by far
    assert worst["angles in float32, as usual"][octave] == pytest.approx(usual, rel=1e-3)
    assert worst["yarncore, float32"].max() <= 0.51 * 2.0**-24
    assert np.all(
        worst["positions in bfloat16"][:8] == worst["angles in float32, as usual"][:8]
    )  # up to 256 they are exact
    assert worst["positions in bfloat16"][9] > 0.1


@pytest.mark.parametrize(("position", "rounded"), [(255, 255), (257, 256), (259, 260), (1023, 1024), (0, 0)])
def test_positions_in_bfloat16_are_rounded_to_even(position, rounded):
    assert exactness.in_bfloat16(np.array([position])) == rounded


class TestCalls:
    def test_one_scaling_takes_the_place_of_the_models_own(self):
        assert "NTKAware, s = 16" in lines(yc.plot("wavelengths", CONFIG, ["ntk:16"]))
        with pytest.raises(ValueError, match="shows one rotary embedding"):
            yc.plot("wavelengths", CONFIG, ["ntk:16", "pi:16"])

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: yc.plot("wavelenths", ROPE), 'did you mean "wavelengths"?'),
            (lambda: yc.plot("decay", ROPE, "yarn:4"), "a list of scalings"),
            (lambda: yc.plot("decay", ROPE, [5]), "scalings holds 5"),
            (lambda: yc.plot("decay", ROPE, ["yarn"]), "a factor is expected"),
            (lambda: yc.plot("decay", yc.Rope(64)), "original_length is needed"),
            (lambda: yc.plot("ramp", yc.Rope(64), original_length=4096), "no s above 1"),
            (lambda: yc.plot("decay", ROPE, path="picture.xyz"), "ends in .svg, .png, .pdf"),
            (lambda: yc.plot("decay", ROPE, length=0), "length is 0"),
        ],
    )
    def test_what_cannot_be_drawn_is_named(self, call, words, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises((TypeError, ValueError), match=re.escape(words)):
            call()
        assert not list(tmp_path.iterdir())

    def test_without_matplotlib_the_extra_is_named(self, monkeypatch):
        found = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name))
        with pytest.raises(ImportError, match=r"plotting needs matplotlib: pip install 'yarncore\[plot\]'"):
            yc.plot("decay", ROPE)


def words_of(svg):
    return re.findall(r">([^<>\n]+)</t", svg.read_text())


def places_of(svg):
    return np.array(
        [
            float(number)
            for path in re.findall(r' d="([^"]*)"', svg.read_text())
            for number in re.findall(r"-?[\d.]+", path)
        ]
    )


def test_the_figures_of_the_documents_are_what_is_drawn_now(tmp_path):
    """In their words; and to a hundredth of a point, where matplotlib is the version that drew them."""
    specification = importlib.util.spec_from_file_location("draw", ROOT / "docs" / "figures" / "draw.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    for drawn in module.draw(tmp_path):
        committed = ROOT / "docs" / "figures" / drawn.name
        assert words_of(drawn) == words_of(committed)
        if f"Matplotlib v{matplotlib.__version__}," in committed.read_text():
            assert places_of(drawn) == pytest.approx(places_of(committed), abs=0.01)
