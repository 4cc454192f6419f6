"""Simulated sources and a mail sink, as real servers: for the demo and the tests."""
