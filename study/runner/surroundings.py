"""Make a command independent of the user's shell, home folder and terminal."""

import atexit
import io
import logging
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

from study.engine import environment

# Figures are files, so neither a notebook's backend nor the user's settings of matplotlib decide how they look.
FIGURE_VARIABLES = {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}


def set_variables() -> None:
    """Set the environment variables that affect numerical results (`environment.prepare`) and figures.

    Call this before numpy, TensorFlow or matplotlib is imported. If the user has no home folder, set HOME to a
    temporary folder, which is deleted when the process ends.
    """
    environment.prepare()
    os.environ.update(FIGURE_VARIABLES)
    try:
        Path.home()
    except RuntimeError:  # no HOME, and the user is not in the system's list of users
        os.environ["HOME"] = tempfile.mkdtemp(prefix="activation-study-")
        atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)


def open_closed_streams() -> None:
    """Open the null device in place of each standard stream that the shell has closed, as `study verify >&-` does.

    Otherwise the next file or socket would get the stream's number, and whatever a library writes to that stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = Path(os.devnull).open(mode)  # noqa: SIM115 - stays open; its number is the lowest free, the stream's
            os.set_inheritable(null.fileno(), True)  # worker processes need it for the same reason
            setattr(sys, name, null)


def quieten() -> None:
    """Hide warnings, unless the user asked for Python's, and escape what the terminal cannot show."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        os.environ["PYTHONWARNINGS"] = "ignore"  # for the worker processes
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it has notes on a home folder that cannot be written to
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8
