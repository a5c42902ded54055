"""Frequencies as fixed-point turns: the integers that phases are made of."""
