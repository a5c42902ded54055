"""What torch traces or records: roads above the plain backends, which know nothing of them."""
