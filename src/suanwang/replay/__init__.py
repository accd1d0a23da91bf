"""Recorded workloads through the same step as the live network: read, run in virtual time, compare, report."""
