"""Arrays in, arrays out: convolution, pooling, activations, whole networks.

Volumes are (height, width, channels); nothing is rounded or clipped on this floor.
"""
