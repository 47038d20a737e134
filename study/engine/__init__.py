"""The engine: settings + data + activation -> what was measured. training.py is the way in.

A run is done again when this folder, the data or the activation changes, and for no other reason. The engine may
import activations, settings, constants and data.
"""
