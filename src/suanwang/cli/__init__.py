"""The command line: one file per noun. Everything but `up` and `replay` talks to a hub through `suanwang.client`."""
