"""What a person asks of a host's containers: logs, commands, files and usage."""
