"""What people read about a rotary embedding."""
