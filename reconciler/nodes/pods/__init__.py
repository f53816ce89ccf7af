"""The pods of a host: work on their containers, their volumes and their ports."""
