"""Ratios that a shared machine cannot spoil: all competitors take turns in one process, medians are compared."""

import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np


def medians(
    competitors: dict[str, Callable[[], object]],
    seconds: float = 1.0,
    pause: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, tuple[float, float]]:
    """Median time of a call and its spread (half of the middle half's width, relative), each called in turn.

    A turn lasts at least 100 us: what is short is called several times in a row, with its data in the caches.
    A pause before each turn lets the threads of other libraries stop spinning. On one thread its processor time,
    time.thread_time, leaves out what other programs take.
    """
    times: dict[str, list[float]] = {name: [] for name in competitors}
    repeats = {}
    for name, call in competitors.items():
        call()
        start = clock()
        call()
        repeats[name] = max(1, int(1e-4 / (clock() - start)))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < 5:
        for name, call in competitors.items():
            time.sleep(pause)
            start = clock()
            for _ in range(repeats[name]):
                call()
            times[name].append((clock() - start) / repeats[name])
    result = {}
    for name, samples in times.items():
        middle = statistics.median(samples)
        low, high = np.percentile(samples, [25, 75])
        result[name] = (middle, (high - low) / 2 / middle)
    return result


def machine() -> str:
    """One line about processor, threads and versions."""
    import yarncore as yc

    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            model = next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return (
        f"{model}, {os.cpu_count()} CPUs, {yc.get_num_threads()} threads, {yc._core.instruction_set()}; yarncore "
        f"{yc.__version__}, NumPy {np.__version__}, Python {platform.python_version()}"
    )


def memory_choices() -> list[str]:
    """Which ways of reading and writing memory this process has found to be the faster ones, one line a question."""
    import yarncore as yc

    lines: dict[str, list[str]] = {}
    for question, size, yes, decided, ratio in yc._core.memory_choices():
        how = f"with / without {ratio:.2f}" if ratio else "as told"
        answer = f"from {size / 2**20:g} MiB {'yes' if yes else 'no'} ({how}{'' if decided else ', still trying'})"
        lines.setdefault(question, []).append(answer)
    return [f"{question}: {', '.join(answers)}" for question, answers in lines.items()]


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A table under the line about the machine."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{title}\n{machine()}", title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=150).print(table)


def microseconds(seconds: float) -> str:
    """A time in a unit that reads well."""
    return f"{seconds * 1e6:,.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:,.2f} ms"
