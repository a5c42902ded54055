"""Draws the figures of the documents: YaRN-Llama-2-7b-64k beside other methods.

Run: python docs/figures/draw.py (needs matplotlib: pip install -e '.[plot]')
"""

from pathlib import Path

import yarncore as yc

ROPE = yc.from_config(Path(__file__).parents[2] / "examples" / "configs" / "llama-2-7b-yarn-64k.json")
OTHERS = [yc.PositionInterpolation(16.0), yc.NTKAware(16.0), yc.YaRN(16.0, 4096, ramp="rotations")]
SCALINGS = {"wavelengths": [], "exactness": [], "ramp": OTHERS[2:], "multipliers": OTHERS, "decay": [None, *OTHERS[:2]]}


def draw(folder):
    """Every picture as SVG; returns the files."""
    files = [Path(folder) / f"{kind}.svg" for kind in SCALINGS]
    for file in files:
        yc.plot(file.stem, ROPE, SCALINGS[file.stem], path=file)
    return files


if __name__ == "__main__":
    draw(Path(__file__).parent)
