"""Frequencies and factors against 50-digit arithmetic from the papers' formulas."""

import numpy as np
import pytest
from golden_files import records

import yarncore as yc

SCALINGS = {
    "plain": lambda r: None,
    "PI": lambda r: yc.PositionInterpolation(float(r["factor"])),
    "NTK-aware": lambda r: yc.NTKAware(float(r["factor"])),
    "NTK-by-parts": lambda r: yc.NTKByParts(float(r["factor"]), **parts(r)),
    "YaRN": lambda r: yc.YaRN(
        float(r["factor"]),
        **parts(r),
        mscale=number(r, "mscale"),
        mscale_all_dim=number(r, "mscale_all_dim"),
        softmax_mscale=number(r, "mscale_all_dim"),
    ),
    "Dynamic-YaRN": lambda r: yc.DynamicYaRN(**parts(r)),
    "Dynamic-NTK": lambda r: yc.DynamicNTK(int(r["original_length"]), float(r["factor"])),
    "llama3": lambda r: yc.Llama3(
        float(r["factor"]),
        int(r["original_length"]),
        low_freq_factor=float(r["low_freq_factor"]),
        high_freq_factor=float(r["high_freq_factor"]),
    ),
}


def number(record, key):
    return float(record[key]) if key in record else None


def parts(record):
    return {
        "original_length": int(record["original_length"]),
        "beta_fast": float(record["beta_fast"]),
        "beta_slow": float(record["beta_slow"]),
        "truncate": record["truncate"],
        "ramp": record["ramp"],
    }


def rotation_of(record):
    rope = yc.Rope(record["rotary_dim"], float(record["base"]), SCALINGS[record["method"]](record))
    return rope.at(int(record["length"]) if "length" in record else None)


@pytest.mark.parametrize("record", records("exact"), ids=lambda r: r["name"])
class TestRecord:
    def test_inverse_frequencies(self, record):
        exact = np.array([float(text) for text in record["inv_freq"]])
        error = np.abs(rotation_of(record).inverse_frequencies - exact)
        # 4 ulp; 2e-15 relative where a power or a logarithm is scaled.
        assert np.all(error <= np.maximum(4 * np.spacing(exact), 2e-15 * exact))

    def test_factors(self, record):
        rotation = rotation_of(record)
        assert rotation.attention_factor == pytest.approx(float(record["attention_factor"]), rel=2e-15, abs=0)
        assert rotation.softmax_scale_factor == pytest.approx(float(record["softmax_scale_factor"]), rel=2e-15, abs=0)

    def test_cos_and_sin_as_far_as_a_float64_frequency_goes(self, record):
        from golden_files import golden

        positions = golden("exact")["positions"]
        rotation = yc.Rotation(rotation_of(record).inverse_frequencies)
        cos, sin = rotation.cos_sin(np.array(positions), dtype=np.float64)
        theta = rotation.inverse_frequencies
        for j, position in enumerate(positions):
            for column, pair in enumerate(record["pairs"]):
                # The golden belongs to the unrounded frequency; ours may be a few ulp away from it.
                bound = 1e-15 + abs(position) * theta[pair] * 8 * 2.0**-53
                assert abs(cos[j, pair] - float(record["cos"][j][column])) <= bound
                assert abs(sin[j, pair] - float(record["sin"][j][column])) <= bound


def test_unscaled_frequencies_are_the_nearest_doubles():
    record = next(r for r in records("exact") if r["method"] == "plain")
    exact = [float(text) for text in record["inv_freq"]]  # 30 digits, read with one rounding
    assert yc.Rope(128).inverse_frequencies.tolist() == exact
