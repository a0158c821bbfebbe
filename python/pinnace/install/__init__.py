"""Puts pinnace into a cluster: the manifests of k8s/, filled in from options, applied by server-side apply."""
