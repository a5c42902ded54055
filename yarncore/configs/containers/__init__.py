"""How files hold what is spelled in them: bounded readers of untrusted containers."""
