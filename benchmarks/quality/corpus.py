"""What the models read: the sources of Python's standard library, which every machine has, as bytes; files are held out whole."""

import hashlib
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Bytes that no source is asked for: of a lookup they are the marks, the keys and the values.
SET, ASK, END = 1, 2, 3
KEYS, VALUES = range(128, 192), range(192, 256)
VOCABULARY = 256


@dataclass(frozen=True)
class Corpus:
    """Files as bytes; the lookup's bytes are replaced by a question mark."""

    train: tuple[np.ndarray, ...]
    held_out: tuple[np.ndarray, ...]
    digest: str

    @property
    def train_bytes(self) -> int:
        return sum(len(file) for file in self.train)


def standard_library(most_files: int = 4000) -> Corpus:
    """The standard library without its tests and installed packages; one file in thirteen is held out, by its name's hash."""
    root = Path(sysconfig.get_path("stdlib"))
    skipped = {"test", "tests", "site-packages", "idlelib", "lib2to3", "__pycache__"}
    paths = [path for path in sorted(root.rglob("*.py")) if not skipped & set(path.relative_to(root).parts)]
    train, held_out, whole = [], [], hashlib.sha256()
    for path in paths[:most_files]:
        content = np.frombuffer(path.read_bytes(), np.uint8)
        content = np.where((content >= 128) | (content < 9), ord("?"), content).astype(np.uint8)
        name = str(path.relative_to(root))
        whole.update(name.encode() + content.tobytes())
        if len(content) > 300:
            of = held_out if int(hashlib.sha256(name.encode()).hexdigest(), 16) % 13 == 0 else train
            of.append(content)
    return Corpus(tuple(train), tuple(held_out), whole.hexdigest())
