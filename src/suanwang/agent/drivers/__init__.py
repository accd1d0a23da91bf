"""Drivers: one file per scheduler; each only translates between `driver.Driver` and what its scheduler says."""
