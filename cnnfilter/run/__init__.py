"""From files to files: settings, one input, many inputs."""
