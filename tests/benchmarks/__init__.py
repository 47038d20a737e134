"""Measure this study's engine beside its peers, and how its time grows (`make bench`). These are not tests."""
