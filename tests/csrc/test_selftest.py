"""The kernels without Python: every instruction set of this machine gives the baseline's bits."""

import selftest


def test_every_instruction_set_gives_the_bits_of_the_baseline_on_every_processor():
    # The hash of all results, first seen on x86-64 and on AArch64 under emulation alike. Other bits are another
    # rotation: whoever changes them on purpose changes it here, after running selftest.py for both.
    assert selftest.run().split()[-1] == "a55c230b1461fb9d"
