"""One module per question; adding a question is adding a file here (see study/experiment.py for the interface)."""
