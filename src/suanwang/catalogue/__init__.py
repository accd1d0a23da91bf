"""The chip catalogue that ships with the product, as data."""

import csv
from functools import cache
from importlib.resources import files

from suanwang.domain.centre import Catalogue, Chip


@cache
def read_catalogue() -> Catalogue:
    """All chips of `chips.csv`."""
    lines = (files("suanwang.catalogue") / "chips.csv").read_text("utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return Catalogue(tuple(_chip(row) for row in rows))


def _chip(row: dict[str, str]) -> Chip:
    return Chip(
        id=row["id"],
        name=row["name"],
        stack=row["stack"],
        domestic={"true": True, "false": False}.get(row["domestic"]),
        fp16_tflops=float(row["fp16_tflops"]) if row["fp16_tflops"] else None,
        memory_gb=float(row["memory_gb"]) if row["memory_gb"] else None,
        aliases=tuple(row["aliases"].split()),
    )
