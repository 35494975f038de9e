"""Benches of ipusim: one module for each kind, and what measures, compares and shows them.

A bench is a function without arguments that returns figures: numbers by a label that names their unit.
"""
