"""The Zoho CRM connector: API v8 over HTTP, and the simulator that answers like it."""
