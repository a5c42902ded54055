"""Texts that a user names: a file or a folder of them, as UTF-8."""

from pathlib import Path


def _text_of(path: Path) -> str:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 (byte {error.start}); name a file or folder of texts") from None
    if "\0" in text:
        raise ValueError(f"{path} is binary: it has a zero byte; name a file or folder of texts")
    return text


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


def read_texts(source: str | Path) -> dict[str, str]:
    """The texts of a file, or of all files below a folder, by name and in its order.

    Files and folders whose names begin with a dot are passed over, and what Python keeps in `__pycache__`.

    Raises
    ------
    ValueError
        Where there is none, or one is not text.
    OSError
        Where something cannot be read.
    """
    source = Path(source)
    if not source.exists():
        raise FileNotFoundError(f"{source} is not there; a file or folder of texts is expected")
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    inside = [path for path in files if not any(map(_is_hidden, path.relative_to(source).parts))]
    texts = {str(path.relative_to(source)) if path != source else path.name: _text_of(path) for path in inside}
    texts = {name: text for name, text in texts.items() if text.strip()}
    if not texts:
        raise ValueError(f"{source} holds no text; a file or folder of texts is expected")
    return texts
