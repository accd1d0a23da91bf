"""Flows: one public function = one transaction = one story; `now_s` is an argument."""
