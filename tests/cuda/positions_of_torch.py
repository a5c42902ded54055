"""Positions as a caller in torch may give them, for tokens of shape (2, 6)."""

import numpy as np
import torch

POSITIONS = {
    "counted": None,
    "offset": 2**33,
    "offset on the device": torch.tensor(77),
    "int64": torch.arange(12).reshape(2, 6) - 3,
    "int32": torch.arange(6, dtype=torch.int32),
    "int16": torch.arange(6, dtype=torch.int16),
    "uint8": torch.arange(6, dtype=torch.uint8),
    "one": torch.tensor([5]),
    "a list": [5, 9, 2, 0, 1, 3],
    "NumPy": np.arange(12).reshape(2, 6),
}
