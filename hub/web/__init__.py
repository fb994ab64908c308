"""What the hub serves over HTTP to others than its own monitors."""
