"""`python -m tests.benchmarks` measures the engine beside its peers; Ctrl-C ends it with exit code 130."""

import sys


def main() -> int:
    """Measure and return 0, or 130 if interrupted, also while TensorFlow is being imported."""
    try:
        from tests.benchmarks import run

        run.main()
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
