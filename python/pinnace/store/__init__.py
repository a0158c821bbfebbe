"""The bucket side: objects in and out of S3 or a filesystem; knows keys, not Kubernetes."""
