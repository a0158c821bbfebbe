#!/bin/sh
# Runs a node's containerd in a mount namespace of its own: namespace.sh NODE_FOLDER CGROUP_PROCS_FILE COMMAND...
#
# Paths that containerd, runc, CNI and kubelet have built in (/run, /var/lib/kubelet, /var/lib/cni, /var/log/pods) are private
# here, so that nodes of several clusters do not meet and the machine's own files are not touched. When the last program
# of the namespace has ended, the kernel takes every mount away with it: volumes, root file systems, network namespaces.
set -eu
cd "$1"
echo $$ >"$2"
shift 2

mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/pinnace /run/var-lib/upper /run/var-lib/work
mount --bind . /run/pinnace # `.`, for the folder itself may be below /run
mount -t overlay -o lowerdir=/var/lib,upperdir=/run/var-lib/upper,workdir=/run/var-lib/work overlay /var/lib
for name in containerd kubelet; do
    mkdir -p "/var/lib/$name" "/run/pinnace/$name"
    mount --bind "/run/pinnace/$name" "/var/lib/$name"
done
mkdir -p /run/pinnace/log
mount --bind /run/pinnace/log /var/log

cd /
exec "$@"
