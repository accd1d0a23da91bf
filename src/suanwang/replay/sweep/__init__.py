"""Many replays of one study: policies x parameters x seeds, on this machine's cores or on a Ray cluster.

`plan` says which runs there are, `play` is one of them, `processes` and `cluster` play many at once, `folder` keeps
what came out, `estimate` sums it up over seeds.
"""
