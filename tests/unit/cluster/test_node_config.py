"""What containerd, CNI and kubelet of a node are told."""

import tomllib
from pathlib import Path

from pinnace.cluster import node_config
from pinnace.cluster.node_network import NodeNetwork

NETWORK = NodeNetwork(bridge="pin0123456789", subnet="10.213.7.0/24")


def test_containerd_takes_the_plugins_of_the_machine_and_the_networks_of_the_node() -> None:
    read = tomllib.loads(node_config.containerd_config(cni_folder=Path("/usr/lib/cni")))
    assert read == {
        "version": 2,
        "plugins": {
            "io.containerd.grpc.v1.cri": {
                "sandbox_image": "localhost/pinnace-pause:1",
                "restrict_oom_score_adj": True,
                "cni": {"bin_dir": "/usr/lib/cni", "conf_dir": "/run/pinnace/cni"},
            }
        },
    }


def test_the_bridge_is_no_gateway_so_that_the_machine_does_not_start_to_forward() -> None:
    (bridge,) = node_config.network_config(NETWORK)["plugins"]
    assert bridge == {
        "type": "bridge",
        "bridge": "pin0123456789",
        "isGateway": False,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/pinnace/addresses",
            "ranges": [[{"subnet": "10.213.7.0/24", "gateway": "10.213.7.1"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }


def test_kubelet_listens_on_the_bridge_only_and_keeps_to_the_nodes_group() -> None:
    config = node_config.kubelet_config(NETWORK, cgroup="pinnace-0123456789", port=10250)
    assert {name: config[name] for name in ("address", "port", "healthzPort", "cgroupRoot")} == {
        "address": "10.213.7.1",
        "port": 10250,
        "healthzPort": 0,
        "cgroupRoot": "/pinnace-0123456789",
    }
    assert config["authentication"]["anonymous"] == {"enabled": False}
    command = node_config.kubelet_command("/bin/kubelet", name="node-1", network=NETWORK)
    assert command[0] == "/bin/kubelet"
    assert {"--hostname-override=node-1", "--node-ip=10.213.7.1"} <= set(command)
