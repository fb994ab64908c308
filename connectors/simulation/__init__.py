"""What every vendor simulator shares: its clock, its people, its faults, its call ledger and its server."""
