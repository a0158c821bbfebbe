"""The benchmark: fill a cluster, measure a backup against a list that is thrown away, and show the figures."""
