"""Errors say the object, the cause and the fix in one sentence, and carry the documented exit code."""

import pytest

from pinnace import errors

BACKUP_EXISTS = "s3://prod: backup nightly already exists in object storage; choose another name"


@pytest.mark.parametrize(
    ("error", "sentence", "exit_code"),
    [
        (errors.BackupExistsError(location="s3://prod", backup_name="nightly"), BACKUP_EXISTS, 1),
        (
            errors.BackupNotFoundError(location="s3://prod", backup_name="x"),
            "s3://prod: backup x not found; `pinnace backup get` lists what is there",
            6,
        ),
        (
            errors.MalformedPageError("GET /api/v1/pods", 12, "truncated", "the body ends before the list does"),
            "GET /api/v1/pods: byte 12 of the response: the body ends before the list does",
            1,
        ),
        (
            errors.KubeError(request="GET /api/v1/pods", status=403, reason="forbidden", fix="grant list on pods"),
            "GET /api/v1/pods: forbidden; grant list on pods",
            1,
        ),
        (
            errors.StoreError(location="s3://prod", action="s3:PutObject", reason="denied"),
            "s3://prod: s3:PutObject: denied",
            1,
        ),
        (errors.ValidationFailedError(backup_name="x", errors=("a", "b")), "backup x: a; b", 3),
    ],
)
def test_an_error_is_one_sentence_with_its_exit_code(error: errors.PinnaceError, sentence: str, exit_code: int) -> None:
    assert (str(error), error.exit_code) == (sentence, exit_code)


def test_an_interrupted_run_exits_with_128_and_the_signal() -> None:
    assert errors.InterruptedRun(signal_number=15).exit_code == 143
