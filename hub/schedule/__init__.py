"""The daemon: decides what is due, runs it one cycle at a time, and tells how it is."""
