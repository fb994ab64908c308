"""Complete listings of large modules by Bulk Read: a job makes a file, the file is read row by row."""

from connectors.zoho_crm.bulk.listing import Asked, BulkLoad, BulkPlace
from connectors.zoho_crm.bulk.reasons import NotOffered

__all__ = ["Asked", "BulkLoad", "BulkPlace", "NotOffered"]
