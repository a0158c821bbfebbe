"""Reads what a bucket holds of a backup as streams (archive, index, gzipped lists): memory does not grow with them."""
