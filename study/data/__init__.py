"""Obtain MNIST from a file or the network, verify it, and read its arrays. Start reading at mnist.py.

The path of a user's file or folder comes in, or nothing: then the cache and the publishers are tried (sources.py). A
`Dataset` of numpy arrays goes out, with its checksum. Of the study, the package imports `study.errors` alone. It may
import no TensorFlow.
"""
