"""What an item pulls in or changes on its way into the backup: one action a file, one registry, open to all."""
