"""Memory between two pages that nobody may touch: a read or write outside of it kills the process."""

import ctypes
import mmap

import numpy as np


class GuardedMemory:
    """`pages` pages for arrays that end, or begin, where the process would die."""

    def __init__(self, pages):
        page = mmap.PAGESIZE
        region = mmap.mmap(-1, (pages + 2) * page)
        base = ctypes.addressof(ctypes.c_char.from_buffer(region))
        libc = ctypes.CDLL(None, use_errno=True)
        for edge in (base, base + (pages + 1) * page):
            assert libc.mprotect(ctypes.c_void_p(edge), page, 0) == 0
        self.bytes = np.frombuffer(region, dtype=np.uint8)[page : (pages + 1) * page]

    def at_the_edge(self, shape, dtype, end):
        """An array that ends with the memory, or begins with it."""
        size = int(np.prod(shape)) * dtype.itemsize
        return (self.bytes[self.bytes.size - size :] if end else self.bytes[:size]).view(dtype).reshape(shape)
