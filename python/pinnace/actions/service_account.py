"""A service account brings the ClusterRoleBindings that name it, and their ClusterRoles (service_account_action.go).

Roles and RoleBindings are namespaced and come with their namespace anyway.
"""

from collections.abc import Callable
from typing import Any

from pinnace.actions.protocol import ActionContext, ActionResult, ResourceIdentifier, ResourceSelector
from pinnace.engine import Hold
from pinnace.velero.backup import Backup

__all__ = ["CLUSTER_ROLES", "CLUSTER_ROLE_BINDINGS", "ServiceAccountAction"]

CLUSTER_ROLES = "clusterroles.rbac.authorization.k8s.io"
CLUSTER_ROLE_BINDINGS = "clusterrolebindings.rbac.authorization.k8s.io"


class ServiceAccountAction:
    """Velero's `velero.io/service-account`.

    Where bindings or roles are not in the plan the bindings are listed once; of them only the names of accounts,
    bindings and roles are kept, about 200 bytes for each subject that is a service account.
    """

    name = "velero.io/service-account"
    applies_to = ResourceSelector(included_resources=("serviceaccounts",))
    pulls_in = (CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES)

    def __init__(self, context: ActionContext) -> None:
        self._named_by: dict[str, list[ResourceIdentifier]] = {}
        wanted = [kind for kind in (CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES) if context.is_fetched(kind)]
        if wanted and context.lists.serves(CLUSTER_ROLE_BINDINGS):
            for binding in context.lists.list(CLUSTER_ROLE_BINDINGS):
                self._note(binding)

    def hold(self, group_resource: str, *, is_fetched: Callable[[str], bool]) -> Hold:
        """Accounts that a binding names."""
        del group_resource, is_fetched
        return Hold(names=frozenset(self._named_by))

    def names(self, item: dict[str, Any]) -> tuple[ResourceIdentifier, ...]:
        """Give each binding and then its role."""
        account = f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        return tuple(dict.fromkeys(self._named_by.get(account, ())))

    def execute(self, item: dict[str, Any], backup: Backup) -> ActionResult:
        """Name them; the account stays as it is."""
        del backup
        return ActionResult(item, additional_items=self.names(item))

    def _note(self, binding: dict[str, Any]) -> None:
        items = [ResourceIdentifier(CLUSTER_ROLE_BINDINGS, "", binding["metadata"]["name"])]
        if role := (binding.get("roleRef") or {}).get("name"):
            items.append(ResourceIdentifier(CLUSTER_ROLES, "", role))
        for subject in binding.get("subjects") or ():
            if subject.get("kind") == "ServiceAccount":
                self._named_by.setdefault(f"{subject.get('namespace')}/{subject.get('name')}", []).extend(items)
