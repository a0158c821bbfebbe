"""The only importer of the kubernetes client: discovery, paging, errors; no decisions about what to back up."""
