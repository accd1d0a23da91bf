"""Readers of voucher rules: `programme` a rules file, `case` a worked case, `values` what single values must be."""

from suanwang.rulesfile.case import Case, ClaimCase, ExpireCase, RedeemCase, TransferCase, decide, read_case
from suanwang.rulesfile.programme import programme_of, read_programme, read_programmes

__all__ = [
    "Case",
    "ClaimCase",
    "ExpireCase",
    "RedeemCase",
    "TransferCase",
    "decide",
    "programme_of",
    "read_case",
    "read_programme",
    "read_programmes",
]
