"""Pictures of a rotary embedding: what is to be drawn, from a configuration or a Rope."""

import dataclasses
import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yarncore._arguments import one_of, token_count
from yarncore.configs.dialects import ropes_from_config
from yarncore.configs.extension import rescaled
from yarncore.configs.original_length import original_length as length_of
from yarncore.errors import ConfigError, need_packages
from yarncore.evaluate.scalings import parse_scaling
from yarncore.rope.regimes import lengths_of
from yarncore.rope.rope import Rope
from yarncore.scaling.scaling import Scaling

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from yarncore.pictures.drawn import Drawn

# A picture more is a module of pictures/ with a function `draw`, and its name here.
KINDS = ("wavelengths", "ramp", "multipliers", "decay", "exactness")
ENDINGS = (".svg", ".png", ".pdf")


def plot(
    kind: str,
    source: Any,
    scalings: Iterable[Scaling | str | None] = (),
    *,
    layer_type: str | None = None,
    original_length: int | None = None,
    length: int | None = None,
    path: Any = None,
) -> "Figure":
    """Draw a rotary embedding; needs matplotlib: pip install 'yarncore[plot]'.

    Parameters
    ----------
    kind : "wavelengths", "ramp", "multipliers", "decay" or "exactness"
        The wavelength of each pair with the regimes; the ramp by turns within the original length; what several methods
        multiply the frequencies by; how scores can decay with distance; how far cos and sin are from the truth by position.
    source : Rope, mapping, path, command line or transformers configuration
        As for from_config.
    scalings : iterable of Scaling, str or None
        Others to be drawn for the same model, beside its own: None is plain RoPE, a word such as "yarn:4" is read as the
        commands do. "wavelengths" and "exactness" draw one: the first of them takes the place of the model's own.
    layer_type : str, optional, keyword-only
        Which one, for models whose layers differ.
    original_length : int, optional, keyword-only
        L, in tokens; None: as for `plan`.
    length : int, optional, keyword-only
        Tokens at which scalings that follow the length are drawn; None: what the scaling is made for.
    path : path, optional, keyword-only
        Write it there too, as .svg, .png or .pdf; the same picture gives the same SVG.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ConfigError, TypeError, ValueError, OSError
        As from_config, and for what cannot be drawn.
    ImportError
        Without matplotlib.
    """
    one_of("kind", kind, KINDS)
    if isinstance(scalings, str) or not isinstance(scalings, Iterable):
        raise TypeError(f"scalings is {scalings!r}; a list of scalings, or of words such as 'yarn:4', is expected")
    target = None if path is None else _target(path)
    need_packages("plotting", "plot", ("matplotlib",))
    drawn = _drawn(source, list(scalings), layer_type, original_length, length)
    if kind in ("wavelengths", "exactness"):
        drawn = drawn[-1:] if len(drawn) == 2 else drawn
    figure: Figure = importlib.import_module(f"yarncore.pictures.{kind}").draw(drawn)
    if target is not None:
        from yarncore.pictures.style import save

        save(figure, target)
    return figure


def _target(path: Any) -> Path:
    target = Path(path)
    if target.suffix.lower() not in ENDINGS:
        raise ValueError(f"path is {str(path)!r}; a file that ends in {', '.join(ENDINGS)} is expected")
    return target


def _drawn(
    source: Any, scalings: Sequence[Any], layer_type: str | None, original: int | None, length: int | None
) -> "list[Drawn]":
    from yarncore.pictures.drawn import Drawn

    rope, trained, advertised = _model(source, layer_type, original)
    ropes = {_label(rope.scaling): rope}
    for given in scalings:
        scaling = parse_scaling(given, trained) if isinstance(given, str) else given
        if scaling is not None and not isinstance(scaling, Scaling):
            raise TypeError(f"scalings holds {scaling!r}; None, a scaling such as YaRN(...) or a word is expected")
        ropes[_label(scaling)] = rescaled("", rope, {"": scaling}) or rope
    ends = [_target_length(each, advertised if each is rope else trained) for each in ropes.values()]
    longest = token_count("length", length) if length is not None else max(ends)
    return [Drawn(label, each, trained, longest) for label, each in ropes.items()]


def _model(source: Any, layer_type: str | None, original: int | None) -> tuple[Rope, int, int]:
    """The Rope, L, and the tokens that the model advertises."""
    given = None if original is None else token_count("original_length", original)
    if isinstance(source, Rope):
        tokens = given or lengths_of(source, None)[0]
        if tokens is None:
            raise ValueError(f"original_length is needed: {source!r} does not tell the length that it was trained for")
        return source, tokens, tokens
    found = ropes_from_config(source, strict=False)
    tokens = length_of(found, given).tokens
    if tokens is None:
        raise ConfigError(
            f"{found.where}: nothing tells the length that the model was trained for; give original_length"
        )
    return found.one(layer_type), tokens, found.advertised_length or tokens


def _target_length(rope: Rope, advertised: int) -> int:
    return lengths_of(rope, advertised)[1] or advertised


def _label(scaling: Scaling | None) -> str:
    """As short as a legend allows: the method, its s, and what is not as usual."""
    if scaling is None:
        return "plain RoPE"
    shown: list[str] = []
    for entry in dataclasses.fields(scaling):
        value = getattr(scaling, entry.name)
        if entry.name == "factor":
            shown.insert(0, f"s = {value:g}")
        elif (
            entry.name in ("beta_fast", "beta_slow", "truncate", "ramp", "attention_factor") and value != entry.default
        ):
            shown.append(f"{entry.name} = {value}")
    return f"{type(scaling).__name__}{', ' if shown else ''}{', '.join(shown)}"
