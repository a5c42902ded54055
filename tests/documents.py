"""The pages of the documentation, and the code in them."""

import contextlib
import io
import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted(ROOT.glob("CONTRIBUTING.md")), *sorted((ROOT / "docs").glob("*.md"))]
_EXAMPLE = re.compile(
    r"^( *)```python\n(.*?)^\1```$(?:\n\n\1```output\n(.*?)^\1```$)?", re.DOTALL | re.MULTILINE
)  # indented where it stands in a list


def examples(page):
    """Each block of Python on a page, and what the block after it says that it prints (None: nothing is said)."""
    found = _EXAMPLE.findall(page.read_text())
    return [(textwrap.dedent(code), textwrap.dedent(output) or None) for _, code, output in found]


def run_examples(page):
    """Run the blocks of a page one after the other, in one namespace, and hold them to what they are said to print."""
    names = {}
    for code, expected in examples(page):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, page.name, "exec"), names)
        if expected is not None:
            assert printed.getvalue() == expected
    return names
