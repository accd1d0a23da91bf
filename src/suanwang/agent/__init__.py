"""The agent of a centre: it asks the hub what should run, looks at what does run, and closes the difference."""
