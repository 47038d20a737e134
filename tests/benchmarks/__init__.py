"""`make bench`: this study's engine beside its peers, and how its time grows. Not tests: timings belong here alone."""
