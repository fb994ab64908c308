"""A simulated Zoho CRM that answers over real HTTP as the vendor's documents say."""
