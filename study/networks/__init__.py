"""Use trained networks: keep their weights, and turn them into Keras models.

In: the engine's state of a network that was trained on distorted images, or a file of its weights. Out: weights as
arrays, a Keras model. May import the engine, settings and files; it knows no experiment and no figure.
"""
