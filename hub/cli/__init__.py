"""The command line: says what operations return, in the language asked for, or as JSON."""
