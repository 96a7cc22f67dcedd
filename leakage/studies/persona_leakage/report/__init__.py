"""A report: one folder of pages that opens from the file system without network."""
