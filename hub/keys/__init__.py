"""Key providers and the ring of unwrapped keys: the input and output beside `hub.crypto`; no SQL."""
