"""Arrays in, arrays out: convolution, pooling, layers."""
