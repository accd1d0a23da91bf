"""A replay as one page that needs nothing else: plots, and beneath each the table of its numbers.

`curves` and `lanes` count, `waits`, `use`, `gantt`, `worth` and `gains` make figures of it, `page` lays them out.
"""
