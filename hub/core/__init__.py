"""The thinking: pure functions over frozen types, without I/O, clock or logging."""
