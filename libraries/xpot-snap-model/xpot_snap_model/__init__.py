"""What a SNAP potential is: options, settings, columns, files. For plugins that fit one; registers nothing."""
