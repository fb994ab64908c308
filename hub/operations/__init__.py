"""What people and the daemon may do: each operation authorises, acts, audits. CLI, API and console call only this."""
