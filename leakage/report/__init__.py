"""What the pages and pictures of all studies share."""
