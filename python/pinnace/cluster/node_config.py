"""The configuration files and command lines of a node's containerd and kubelet, as pure functions.

Paths are those inside the node's mount namespace (k8s/cluster/node/namespace.sh), so they are the same for every node.
"""

from pathlib import Path
from typing import Any, Final

from pinnace.cluster.node_network import NodeNetwork

__all__ = [
    "NODE_FOLDER",
    "PAUSE_IMAGE",
    "containerd_command",
    "containerd_config",
    "kubelet_command",
    "kubelet_config",
    "network_config",
]

NODE_FOLDER: Final = "/run/pinnace"
"""Where the namespace shows the node's own folder."""

PAUSE_IMAGE: Final = "localhost/pinnace-pause:1"


def containerd_config(*, cni_folder: Path) -> str:
    """containerd's TOML.

    `restrict_oom_score_adj`: where the machine does not permit to lower it (a sandbox, a container), runc would
    otherwise die with "can't get final child's PID from pipe".
    """
    return f"""\
version = 2

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni_folder}"
conf_dir = "{NODE_FOLDER}/cni"
"""


def network_config(network: NodeNetwork) -> dict[str, Any]:
    """The CNI network: pods get an address of the node's subnet and the bridge as their way out.

    The bridge is no gateway to CNI (`isGateway`), for then the plugin would turn on forwarding for the whole machine.
    """
    ipam = {
        "type": "host-local",
        "dataDir": f"{NODE_FOLDER}/addresses",
        "ranges": [[{"subnet": network.subnet, "gateway": network.address}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": network.bridge, "isGateway": False, "ipMasq": False, "ipam": ipam}
    return {"cniVersion": "0.4.0", "name": network.bridge, "plugins": [bridge]}


def kubelet_config(network: NodeNetwork, *, cgroup: str, port: int) -> dict[str, Any]:
    """The KubeletConfiguration of a small node that shares its machine with others.

    Images come by import and can't be pulled again, so none is collected. `failCgroupV1` is off since machines
    with version 1 are fine for tests; the OOM score is 0 since lowering it is not permitted everywhere.
    """
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": network.address,
        "port": port,
        "healthzPort": 0,
        "tlsCertFile": f"{NODE_FOLDER}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{NODE_FOLDER}/kubelet-server.key",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{NODE_FOLDER}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "resolvConf": "",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        "volumePluginDir": f"{NODE_FOLDER}/volume-plugins",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }


def containerd_command(containerd: str) -> list[str]:
    """containerd, listening inside the namespace only."""
    return [containerd, f"--config={NODE_FOLDER}/containerd.toml"]


def kubelet_command(kubelet: str, *, name: str, network: NodeNetwork) -> list[str]:
    """Kubelet; its address must not be a loopback one, or `kubectl logs` finds none."""
    return [
        kubelet,
        f"--config={NODE_FOLDER}/kubelet.json",
        f"--kubeconfig={NODE_FOLDER}/kubelet.kubeconfig",
        f"--hostname-override={name}",
        f"--node-ip={network.address}",
        "--v=2",
    ]
