"""The tamper-evident log: events, their canonical form, the hash chain and its verification; pure, no storage."""
