"""Use trained networks: keep their weights, test them as Keras models, and classify pictures with them.

The weights come from the engine's state of a network that was trained on distorted images, or from a file. One module,
distributions.py, measures pre-activations during a training of its own. This package may import records, the engine,
data, and the modules beside the packages; it knows no experiment and no figure.
"""
