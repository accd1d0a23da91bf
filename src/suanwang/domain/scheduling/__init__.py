"""Which job runs where and when: one pure step from events to decisions. The theory is in README.md beside this page.

`events`, `decisions` and `policy` are plain words and light to import; `state` and `scheduler` bring the compiled
kernel with them.
"""
