"""The engine: settings + data + activation -> what was measured.

Whatever is in this folder retrains when it changes, and nothing else does. It may import
activations, settings, constants and data.
"""
