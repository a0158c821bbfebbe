"""Globs are gobwas/glob's, without separators."""

import pytest

from pinnace.velero import glob


@pytest.mark.parametrize(
    ("pattern", "name", "does"),
    [
        ("*", "", True),
        ("*.k8s.io", "storageclasses.storage.k8s.io", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a.c", "abc", False),
        ("[a-c]x", "bx", True),
        ("[!a-c]x", "bx", False),
        ("[!a-c]x", "dx", True),
        ("[^]x", "^x", True),
        ("{pods,secrets}", "secrets", True),
        ("{pods,secrets}", "pods,secrets", False),
        ("pods,secrets", "pods,secrets", True),
        ("po{d,x}s", "pods", True),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        ("(a|b)+", "(a|b)+", True),
        ("pods", "podsecurity", False),
        ("[", "[", False),
        ("[]", "", False),
        ("{a", "a", False),
        ("a}", "a}", True),
    ],
)
def test_a_pattern_matches_the_whole_name(pattern: str, name: str, does: bool) -> None:
    assert glob.matches(name, [pattern]) is does


def test_only_these_marks_make_a_pattern_of_a_namespace() -> None:
    assert [name for name in ("a", "a*", "a?", "[ab]", "{a,b}", "a.b") if glob.is_pattern(name)] == [
        "a*",
        "a?",
        "[ab]",
    ]
