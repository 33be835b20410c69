"""What the commands cost beside their peers. Each module is run by hand, and prints; nothing here is a test."""
