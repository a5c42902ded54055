"""Pictures: how a rotary embedding looks, and the style that all pictures share. Legible in black and white."""
