"""What to_config wrote -> a file, whole or not at all."""

import json
import os
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yarncore.configs.containers.gguf_rewrite import rewrite
from yarncore.errors import ConfigError


def save(path: Any, format: str, written: Any) -> None:
    """Put it into a file: a GGUF file that exists is changed; JSON and command lines are written anew.

    Raises
    ------
    OSError
        Where the file system says no; a file that was there is as it was.
    """
    target = Path(os.fsdecode(path))
    if format == "gguf":
        rewrite(target, written)
        return
    if target.is_dir():
        raise ConfigError(f"path is {str(target)!r}, a folder; the path of a file is expected")
    text = json.dumps(written, indent=2) if isinstance(written, Mapping) else shlex.join(written)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text + "\n")
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
