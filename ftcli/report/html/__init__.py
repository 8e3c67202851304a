"""Pages in HTML: one file each, which needs no network, no script and no other file."""
