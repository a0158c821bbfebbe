"""A service account with a token of its own: what it is told it may do, and what a real request of it gets."""

import base64
import json
import ssl
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from integration.cluster_fixtures import TestedCluster

__all__ = ["Account", "Rule", "log_in"]

Rule = tuple[str, str, str, str]
"""Verbs, API groups (core as ""), resources and names of one rule, each sorted and joined by commas."""


@dataclass(frozen=True)
class Account:
    """A logged-in service account; requests carry its token and nothing else."""

    server: str
    token: str
    trust: ssl.SSLContext

    def status(self, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        """Ask, and return the answer's status code."""
        return self.ask(method, path, body)[0]

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, acting_as: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """Ask; PATCHes are merge patches. A refusal's document says why."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        impersonation = {"Impersonate-User": acting_as} if acting_as else {}
        request = urllib.request.Request(
            self.server + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind, **impersonation},
        )
        try:
            with urllib.request.urlopen(request, context=self.trust, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text.startswith(b"{") else {"message": text.decode()}

    def rules(self, namespace: str) -> set[Rule]:
        """What the server says it may do there (SelfSubjectRulesReview)."""
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
        _, answer = self.ask(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
            {**review, "spec": {"namespace": namespace}},
        )
        assert not answer["status"]["incomplete"], answer
        names = ("verbs", "apiGroups", "resources", "resourceNames")
        joined = [
            [",".join(sorted(rule.get(name) or ())) for name in names] for rule in answer["status"]["resourceRules"]
        ]
        return {(verbs, groups, resources, only) for verbs, groups, resources, only in joined}


def log_in(cluster: TestedCluster, name: str, *, namespace: str) -> Account:
    """Ask for a token, as a pod's would be."""
    config = yaml.safe_load(cluster.kubectl("config", "view", "--raw", "--flatten", "-ojson"))
    [entry] = config["clusters"]
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        Path(file.name).write_bytes(base64.b64decode(entry["cluster"]["certificate-authority-data"]))
        trust = ssl.create_default_context(cafile=file.name)
    token = cluster.kubectl("create", "token", name, f"--namespace={namespace}", "--duration=1h").strip()
    return Account(server=entry["cluster"]["server"], token=token, trust=trust)
