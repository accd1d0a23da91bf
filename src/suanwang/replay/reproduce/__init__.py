"""Published tables, computed again from the logs that they are about."""
