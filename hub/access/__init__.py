"""Who may see and do what: masking of personal values."""
