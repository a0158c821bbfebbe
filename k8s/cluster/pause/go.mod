module pinnace.dev/k8s/cluster/pause

go 1.25.0
