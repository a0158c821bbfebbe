"""Settings come from flags, else the environment, else the default; a variable that nobody reads is refused."""

import pytest

from pinnace.errors import UsageError
from pinnace.settings import Settings

_ALL = {"PINNACE_STORE": "file:///e", "PINNACE_LOG_LEVEL": "debug", "PINNACE_LOG_FORMAT": "json"}


def test_flags_win_over_the_environment_and_that_over_the_defaults() -> None:
    assert Settings.read({}) == Settings(store="", log_level=None, log_format="text", progress_seconds=5.0)
    assert Settings.read(_ALL) == Settings(store="file:///e", log_level="debug", log_format="json")
    flags = {"store": "file:///f", "log_level": "warn", "log_format": "text"}
    assert Settings.read(_ALL, **flags) == Settings(store="file:///f", log_level="warn", log_format="text")


def test_an_unknown_variable_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as raised:
        Settings.read({"PINNACE_STOER": "x", "HOME": "/"})
    assert str(raised.value) == (
        "PINNACE_STOER: no such environment variable; known are PINNACE_ATTEMPT_ID, PINNACE_BACKUP_UID, "
        "PINNACE_COMMIT, PINNACE_COMPRESSION, PINNACE_CSI_SNAPSHOTS, PINNACE_DEMO_LOCAL, PINNACE_E2E, "
        "PINNACE_HOOKS, PINNACE_JOB_IMAGE, PINNACE_LIST_ENCODING, "
        "PINNACE_LOG_FORMAT, PINNACE_LOG_LEVEL, PINNACE_NAMESPACE, PINNACE_POD_NAME, PINNACE_SHARDS, PINNACE_STORE"
    )


def test_variables_of_the_build_the_demo_and_the_tests_are_left_alone() -> None:
    others = {"PINNACE_COMMIT": "abc", "PINNACE_DEMO_LOCAL": "1", "PINNACE_E2E": "require"}
    assert Settings.read({**others, "_PINNACE_COMPLETE": "x"}) == Settings()


@pytest.mark.parametrize(
    ("environ", "flags", "sentence"),
    [
        ({"PINNACE_LOG_LEVEL": "loud"}, {}, "PINNACE_LOG_LEVEL: loud: give debug, info, warn, error"),
        ({}, {"log_format": "xml"}, "--log-format xml: give text, json"),
    ],
)
def test_a_value_that_is_none_is_refused(environ: dict[str, str], flags: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        Settings.read(environ, **flags)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("level", "stored"), [(None, "info"), ("warn", "warning"), ("warning", "warning"), ("debug", "debug")]
)
def test_the_log_object_is_at_info_unless_a_level_is_given(level: str | None, stored: str) -> None:
    assert Settings.read({}, log_level=level).stored_log_level == stored
