"""Single steps under pytest-benchmark: codec, core and archive, a call or a batch at a time.

The files are named so that the suite does not collect them: `make bench ARGS=micro` does.
"""
