"""Ways to carry out a convolution, each a module: what it takes, what it costs, and the work itself."""
