"""Fixtures of the real servers, found by name wherever a test asks for one."""

pytest_plugins = ["integration.cluster_fixtures", "integration.s3_fixtures", "e2e.node_fixtures"]
