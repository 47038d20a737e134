"""Train networks and measure them: settings + data + activation -> measurements. Start reading at training.py.

A run is done again when the code of this folder, the data or the activation changes, and for no other reason. Comments
and docstrings do not count. The engine may import activations, settings, constants and data.
"""
