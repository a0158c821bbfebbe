"""The allocator is told once, where it can be."""

import platform

from pinnace.backup.allocator import return_large_blocks


def test_glibc_takes_the_threshold() -> None:
    assert return_large_blocks() is (platform.libc_ver()[0] == "glibc")
