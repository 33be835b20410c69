"""Files: images, matrices and weights, read and written."""
