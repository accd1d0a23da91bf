"""`python -m suanwang` is `suanwang`."""

from suanwang.cli.main import main

main()
