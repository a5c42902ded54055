"""What an array is: one file a framework, with the same answers in each."""
