"""The tests of the package, the chapters and the tools."""
