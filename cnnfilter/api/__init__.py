"""What Python programs call; `cnnfilter` hands out the names."""
