"""Configurations and GGUF files, mutated: each is read, or refused by a ConfigError, and nothing else happens.

python tests/fuzz/mutated.py --count 100000      half configurations, half files; prints how they end, and writes tests/fuzz/result.json
python tests/fuzz/mutated.py --only configs      one half; the rest of the result stays
python tests/fuzz/mutated.py --count 0 --traced 5000
                                                 traces so many of each for the branches that they take (needs coverage)
"""

import argparse
import collections
import contextlib
import json
import random
import re
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "doctor"), str(Path(__file__).parent)]

import mutated_configs  # noqa: E402
import mutated_gguf  # noqa: E402

import yarncore as yc  # noqa: E402
from yarncore.configs.source import read_gguf  # noqa: E402
from yarncore.reports.diagnosis import diagnose  # noqa: E402

RESULT = Path(__file__).with_name("result.json")
# Ends that reach a reader of a format, those before one, and nothing else.
REACHED = {"read", "refused"}
EXPECTED = REACHED | {"not recognised", "no such file", "refused by the container"}
_ROPES = (
    yc.Rope(64, 1e6, yc.YaRN(4.0, 32768)),
    yc.Rope(64, 1e4, interleaved=True),
    yc.Rope(128, 5e5, yc.PositionInterpolation(2.0)),
)
_LONGEST_SECONDS = 20


class Hang(BaseException):
    """One input took longer than any may."""


@contextlib.contextmanager
def _bounded_time() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read(source: Any, config: Any, strict: bool, more: bool) -> None:
    """Read it; with `more` also diagnose it, and write what was read, and over it."""
    ropes = yc.ropes_from_config(source, strict=strict, config=config)
    if not more:
        return
    diagnose(source, [], config)
    if isinstance(source, Path) and source.suffix == ".gguf":
        for rope in (ropes, *_ROPES):
            with contextlib.suppress(yc.ConfigError):
                yc.to_config(rope, "gguf", path=source, approximate=True)
                yc.ropes_from_config(source)
    elif isinstance(source, dict):
        with contextlib.suppress(yc.ConfigError):
            yc.to_config(ropes, config=source if config is None and "model_type" in source else None)


def outcome(source: Any, config: Any, strict: bool, more: bool) -> tuple[str, str]:
    """How it ends, and in which words."""
    try:
        with warnings.catch_warnings(), _bounded_time():
            warnings.simplefilter("error", RuntimeWarning)
            warnings.simplefilter("error", ResourceWarning)
            warnings.simplefilter("ignore", yc.ConfigWarning)
            if isinstance(source, Path):
                try:
                    read_gguf(source) if source.suffix == ".gguf" else yc.from_config(source)
                except yc.ConfigError as error:
                    if source.suffix == ".gguf" or "not valid JSON" in str(error) or "nested" in str(error):
                        return "refused by the container", str(error)
            read(source, config, strict, more)
        return "read", ""
    except yc.ConfigError as error:
        return "not recognised" if "not recognised as one of" in str(error) else "refused", str(error)
    except FileNotFoundError as error:
        return "no such file" if isinstance(source, (str, list)) else "FileNotFoundError", str(error)
    except ValueError as error:
        return "no such file" if "config is given" in str(error) else type(error).__name__, str(error)
    except (Exception, Hang) as error:
        return type(error).__name__, str(error)


class Ends:
    """How mutated inputs end: a histogram of ends and of refusals, and the inputs that end otherwise than they may."""

    def __init__(self) -> None:
        self.ends: collections.Counter[str] = collections.Counter()
        self.words: collections.Counter[str] = collections.Counter()
        self.crashes: list[tuple[Any, Any, str]] = []

    def add(self, source: Any, config: Any, strict: bool, more: bool) -> None:
        """Try one."""
        kept = source.read_bytes() if isinstance(source, Path) else source
        how, words = outcome(source, config, strict, more)
        self.ends[how] += 1
        if words:
            self.words[_template(words)] += 1
        if how not in EXPECTED:
            self.crashes.append((kept, config, f"{how}: {words}"))

    def reached(self) -> float:
        """The part that reaches a reader."""
        return sum(self.ends[how] for how in REACHED) / max(1, self.ends.total())


def _template(words: str) -> str:
    """A refusal without what differs from case to case: names of files, keys' paths, numbers and quoted values."""
    words = re.sub(r"^[^:]*: ", "", words)
    words = re.sub(r"'[^']*'|\"[^\"]*\"|[\[{].*[\]}]", "'...'", words)
    words = re.sub(r"[-+]?\d[\d.e+-]*|\b(nan|inf)\b", "#", words)
    return words[:90]


def _folder() -> tempfile.TemporaryDirectory[str]:
    """In memory where there is such a place: files are written some 10^5 times."""
    return tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)


def run_configs(count: int, number: int) -> Ends:
    """`count` mutated configurations: dicts, command lines, and files of JSON."""
    generator, all_seeds, found = random.Random(number), mutated_configs.seeds(), Ends()
    with _folder() as folder:
        for _ in range(count):
            seed, config = generator.choice(all_seeds)
            source = mutated_configs.mutated(seed, generator)
            other = config if config is None or generator.random() < 0.7 else mutated_configs.mutated(config, generator)
            if isinstance(source, dict) and other is None and generator.random() < 0.1:
                path = Path(folder) / "config.json"
                mutated_configs.as_file(source, path, generator)
                source = path
            found.add(source, other, generator.random() < 0.5, generator.random() < 0.1)
    return found


def run_files(count: int, number: int) -> Ends:
    """`count` mutated GGUF files."""
    generator, all_seeds, found = random.Random(number), mutated_gguf.seeds(), Ends()
    with _folder() as folder:
        path = Path(folder) / "model.gguf"
        for _ in range(count):
            path.write_bytes(mutated_gguf.written(mutated_gguf.mutated(generator.choice(all_seeds), generator)))
            found.add(path, None, generator.random() < 0.5, generator.random() < 0.05)
    return found


RUNS = {"configs": run_configs, "gguf files": run_files}


def branches(count: int, number: int) -> dict[str, str]:
    """How many of the branches of the readers `count` inputs of each kind take, by folder."""
    import coverage

    traced = coverage.Coverage(branch=True, data_file=None, source=[str(ROOT / "yarncore" / "configs")])
    traced.start()
    for run in RUNS.values():
        run(count, number)
    traced.stop()
    taken: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    for file in traced.get_data().measured_files():
        numbers = traced._analyze(file).numbers
        folder = Path(file).relative_to(ROOT).parent.as_posix()
        taken[folder][0] += numbers.n_executed_branches
        taken[folder][1] += numbers.n_branches
    return {folder: f"{done} of {of}" for folder, (done, of) in sorted(taken.items())}


def _again(ends: Ends) -> None:
    """The first inputs that ended otherwise, and where."""
    for source, config, how in ends.crashes[:5]:
        print(how, repr(source)[:3000], repr(config)[:500])
        if isinstance(source, (dict, str, list)):
            try:
                yc.ropes_from_config(source, strict=False, config=config)
            except Exception:
                traceback.print_exc()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--number", type=int, default=1, help="of the sequence of random numbers")
    parser.add_argument("--traced", type=int, default=0, help="inputs of each half whose branches are counted")
    parser.add_argument("--only", choices=RUNS)
    arguments = parser.parse_args()
    whole = arguments.only is None and arguments.count > 0
    result: dict[str, Any] = {} if whole else json.loads(RESULT.read_text())
    if arguments.count:
        result |= {"count": arguments.count, "number": arguments.number}
    crashed = False
    for kind, run in RUNS.items():
        if not arguments.count or arguments.only not in (None, kind):
            continue
        start = time.monotonic()
        found = run(arguments.count // len(RUNS), arguments.number)
        crashed = crashed or bool(found.crashes)
        print(
            f"{kind}: {dict(found.ends)}, {100 * found.reached():.1f} % reach a reader, {time.monotonic() - start:.0f} s"
        )
        print(f"  {len(found.words)} refusals differ; the most frequent:")
        for words, times in found.words.most_common(12):
            print(f"  {times:7d}  {words}")
        _again(found)
        result[kind] = {
            "ends": dict(sorted(found.ends.items())),
            "reach a reader": round(found.reached(), 4),
            "different refusals": len(found.words),
            "most frequent": dict(found.words.most_common(12)),
        }
    if arguments.traced:
        result["traced"] = arguments.traced
        result["branches taken"] = branches(arguments.traced, arguments.number)
        print(result["branches taken"])
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    return int(crashed)


if __name__ == "__main__":
    sys.exit(main())
