"""What is hidden and what is asked: the kinds of needles.

The passkey is that of Landmark Attention (Mohtashami and Jaggi, arXiv:2305.16300), which the YaRN paper uses. The others are
RULER's (Hsieh et al., arXiv:2404.06654): keys are an adjective and a noun, values have seven digits, and of the needles with
several keys or values there are four; two hops are its variable tracking with one chain, without the solved example that it
puts in front. Words are drawn from the lists below, not from RULER's package of words.
"""

import random
import string
from collections.abc import Callable
from dataclasses import dataclass

_ADJECTIVES = (
    "able bold brave brisk calm careful clever cold cosy curious daring deep early eager fair fancy fast fierce "
    "fine fond gentle glad golden grand happy honest humble icy jolly keen kind late lively loud loyal lucky mellow "
    "merry mild neat noble odd patient plain polite proud quick quiet rapid rare royal shy silent silver simple "
    "sleepy small smooth soft solid steady strong sunny sweet swift tall tame tidy tiny vivid warm wild wise witty "
    "young"
)
_NOUNS = (
    "acorn anchor apple arrow badger barrel basket beacon bell bridge brook button cabin candle canyon castle cedar "
    "cherry cloud comet copper coral cradle crown desert dragon drum eagle ember engine falcon feather fern fiddle "
    "forest fountain garden glacier hammer harbor hazel hill island ivory jacket kettle kitten ladder lantern lemon "
    "lion lizard maple marble meadow mirror mountain needle oak ocean olive otter owl paddle pebble pepper pine "
    "planet pocket quilt rabbit raven river rocket saddle sailor shadow shell silver spoon spruce star stone storm "
    "tiger tower tulip turtle valley violin walnut whale willow window winter wolf yarn"
)

SENTENCES = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. "
"""The haystack of the passkey and of RULER's simplest needles, repeated."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence to hide, and where: 0 is before the haystack, 1 behind it."""

    text: str
    depth: float


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt without its haystack.

    Attributes
    ----------
    opening, closing : str
        What stands before the haystack and behind it; the model continues the closing.
    facts : tuple of Fact
        What is hidden, distractors included.
    answers : tuple of str
        All that a right answer names.
    asked : str
        The answer that is hidden at the depth of the grid, or, over two hops, that both of them lead to.
    """

    opening: str
    facts: tuple[Fact, ...]
    closing: str
    answers: tuple[str, ...]
    asked: str


def _number(draw: random.Random, digits: int) -> str:
    return str(draw.randrange(10 ** (digits - 1), 10**digits))


def _different(draw: random.Random, count: int, one: Callable[[], str]) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found[one()] = None
    return list(found)


def _keys(draw: random.Random, count: int) -> list[str]:
    adjectives, nouns = _ADJECTIVES.split(), _NOUNS.split()
    return _different(draw, count, lambda: f"{draw.choice(adjectives)}-{draw.choice(nouns)}")


def passkey(draw: random.Random, depth: float) -> Question:
    """One number of five digits, told twice."""
    number = _number(draw, 5)
    return Question(
        "There is an important info hidden inside a lot of irrelevant text. Find it and memorize it. "
        "I will quiz you about the important information there.",
        (Fact(f"The pass key is {number}. Remember it. {number} is the pass key.", depth),),
        "What is the pass key? The pass key is",
        (number,),
        number,
    )


def _magic_numbers(key: str, values: list[str], facts: list[Fact]) -> Question:
    several = len(values) > 1
    some, numbers, are = ("Some", "numbers", "are") if several else ("A", "number", "is")
    which = (
        f"What are all the special magic numbers for {key}"
        if several
        else f"What is the special magic number for {key}"
    )
    return Question(
        f"{some} special magic {numbers} {are} hidden within the following text. Make sure to memorize it. "
        f"I will quiz you about the {numbers} afterwards.",
        tuple(facts),
        f"{which} mentioned in the provided text? "
        f"The special magic {numbers} for {key} mentioned in the provided text {are}",
        tuple(values),
        values[0],
    )


def _hidden(key: str, value: str, depth: float) -> Fact:
    return Fact(f"One of the special magic numbers for {key} is: {value}.", depth)


def needle(draw: random.Random, depth: float) -> Question:
    """One key with one value."""
    (key,), value = _keys(draw, 1), _number(draw, 7)
    return _magic_numbers(key, [value], [_hidden(key, value, depth)])


def multi_key(draw: random.Random, depth: float) -> Question:
    """Four keys with a value each, three of them distractors anywhere; the asked one is at the depth."""
    keys, values = _keys(draw, 4), _different(draw, 4, lambda: _number(draw, 7))
    depths = [depth, *(draw.random() for _ in range(3))]
    return _magic_numbers(keys[0], values[:1], [_hidden(*each) for each in zip(keys, values, depths, strict=True)])


def multi_value(draw: random.Random, depth: float) -> Question:
    """One key with four values: one at the depth, the others anywhere; all are asked for."""
    (key,), values = _keys(draw, 1), _different(draw, 4, lambda: _number(draw, 7))
    depths = [depth, *(draw.random() for _ in range(3))]
    return _magic_numbers(key, values, [_hidden(key, *each) for each in zip(values, depths, strict=True)])


def two_hop(draw: random.Random, depth: float) -> Question:
    """A variable that has a value, and two more, each set to the one before; the first at the depth, the others later."""
    names = _different(draw, 3, lambda: "".join(draw.choices(string.ascii_uppercase, k=5)))
    value = _number(draw, 5)
    links = [value, *(f"VAR {name}" for name in names)]
    depths = [depth, *sorted(draw.uniform(depth, 1.0) for _ in range(2))]
    return Question(
        "Memorize and track the chain of variable assignment hidden in the following text.",
        tuple(Fact(f"VAR {name} = {links[n]}.", depths[n]) for n, name in enumerate(names)),
        f"Question: Find all variables that are assigned the value {value} in the text above. Answer: According to the chain of "
        f"variable assignment in the text above, {len(names)} variables are assigned the value {value}, they are:",
        tuple(names),
        names[-1],
    )


KINDS: dict[str, Callable[[random.Random, float], Question]] = {
    "passkey": passkey,
    "needle": needle,
    "multi_key": multi_key,
    "multi_value": multi_value,
    "two_hop": two_hop,
}
"""The kinds of needles by name; lm-eval knows each as `yarncore_<name>`."""
