"""The records in the forms that others read: accounting, cost management."""
