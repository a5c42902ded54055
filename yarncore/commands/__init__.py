"""What people type: one file a command, with the same three answers in each."""
