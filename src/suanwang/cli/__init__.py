"""The command line: one file per noun. Everything but `up` talks to a hub through `suanwang.client`."""
