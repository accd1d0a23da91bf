"""Suanwang 算网: many independent AI computing centres as one utility."""

__version__ = "0.1.0"
