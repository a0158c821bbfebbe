"""The words and rules of velero.io/v1: pure data, no I/O, no clock."""
