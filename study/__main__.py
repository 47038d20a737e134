"""Run the `study` command as `python -m study`."""

import sys

from study.errors import INTERRUPTED

if __name__ == "__main__":
    try:
        from study.cli import main
    except KeyboardInterrupt:  # in the first second, while libraries are imported
        sys.exit(INTERRUPTED)
    sys.exit(main())
